//! See [`RULE`].

use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The table was created with `OF type`.
    ///
    /// ## Why on Citus
    ///
    /// Citus creates the shards as ordinary tables. After `ALTER TYPE ... ADD ATTRIBUTE ... CASCADE` the table has a
    /// column that its shards lack, and not even `SELECT *` works.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE address OF address_type;
    /// SELECT create_distributed_table('address', 'id');   -- accepted
    /// ALTER TYPE address_type ADD ATTRIBUTE w int CASCADE;
    /// SELECT * FROM address;
    /// ERROR:  column "w" does not exist
    /// ```
    ///
    /// ## Use instead
    ///
    /// End the link before: the columns stay.
    ///
    /// ## When to ignore
    ///
    /// Where the type never changes.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tableschemadef_string`
    code: "CA112", name: "typed-table", level: Warning, effect: Silent,
    title: "the table loses the link to its type",
    remediation: "ALTER TABLE ... NOT OF before distributing.",
    source: "deparser/citus_ruleutils.c:pg_get_tableschemadef_string",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && layout.graph.table(case.table).of_type.is_some()
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let table = layout.graph.table(case.table);
    let of_type = table.of_type.as_deref().unwrap_or("");
    Objection {
        message: format!("{} loses its link to type {of_type}", table.name),
        detail: Some(format!("Shards are ordinary tables: changing {of_type} later breaks {}.", table.name)),
        hint: Some("End the link before distributing; the columns stay.".to_owned()),
        fix_sql: Some(format!("ALTER TABLE {} NOT OF;", table.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_typed_tables() {
        let schema = schema([table("t").columns("id bigint").with(|t| t.of_type = Some("public.ty".into()))]);
        assert_eq!(found(&schema, "t: distributed id", "typed-table"), ["t"]);
        assert!(found(&schema, "", "typed-table").is_empty());
    }
}
