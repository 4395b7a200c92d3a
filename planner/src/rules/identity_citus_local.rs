//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::identifier::{RelationName, quote_literal};
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The table is in Citus' metadata as a local table already, has an identity column, and is to be distributed.
    ///
    /// ## Why on Citus
    ///
    /// Citus turns it back into a plain table first, and it cannot do that with an identity column. (Making it a
    /// reference table is fine.) On a database without Citus this does not occur, unless foreign keys are left in place
    /// while reference tables are made.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('branch', 'id');
    /// ERROR:  cannot complete operation on a table with identity column
    /// ```
    ///
    /// ## Use instead
    ///
    /// Turn the identity into a serial column first, or use `create_distributed_table_concurrently`.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails.
    ///
    /// ## Source
    ///
    /// `commands/table.c:ErrorIfTableHasIdentityColumn`
    code: "CA610", name: "identity-citus-local", level: Error, effect: Blocked,
    title: "a managed local table with an identity column cannot be distributed",
    remediation: "Replace the identity by a sequence with a default first.",
    source: "commands/table.c:ErrorIfTableHasIdentityColumn",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    layout.is_distributed(case.table)
        && is_managed_now(layout, case)
        && layout.graph.table(case.table).columns.iter().any(|c| c.identity.is_some())
}

fn is_managed_now(layout: &Layout<'_>, case: &TableCase) -> bool {
    let name = &layout.graph.table(case.table).name;
    layout.graph.schema.citus_tables.iter().any(|c| c.kind == "local" && c.name == *name)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let table = layout.graph.table(case.table);
    let column = table.columns.iter().find(|c| c.identity.is_some()).map_or("", |c| c.name.as_str());
    let sequence = RelationName::new(&table.name.schema, format!("{}_{column}_serial", table.name.name));
    let (name, quoted) = (&table.name, ident(column));
    Objection {
        message: "cannot complete operation on a table with identity column".to_owned(),
        detail: Some(format!("{name} is a local table in Citus' metadata, and {quoted} is an identity column.")),
        hint: Some("Afterwards the column draws from a sequence of its own.".to_owned()),
        fix_sql: Some(format!(
            "ALTER TABLE {name} ALTER COLUMN {quoted} DROP IDENTITY;\nCREATE SEQUENCE {sequence} OWNED BY {name}.{quoted};\n\
             SELECT setval({literal}, (SELECT max({quoted}) FROM {name}));\nALTER TABLE {name} ALTER COLUMN {quoted} SET \
             DEFAULT nextval({literal});",
            literal = quote_literal(&sequence.to_string())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{CitusTable, Identity, RelationName};

    #[test]
    fn refuses_identities_of_managed_tables() {
        let mut schema = schema([table("t").columns("id bigint").with(|t| t.columns[0].identity = Some(Identity::Always))]);
        assert!(found(&schema, "t: distributed id", "identity-citus-local").is_empty());
        schema.citus_tables.push(CitusTable {
            name: RelationName::new("public", "t"),
            kind: "local".into(),
            distribution_column: None,
            colocation_id: 0,
            shard_count: None,
            shard_bytes: Vec::new(),
        });
        assert_eq!(found(&schema, "t: distributed id", "identity-citus-local"), ["t"]);
        assert!(found(&schema, "t: reference", "identity-citus-local").is_empty());
    }
}
