//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::identifier::RelationName;

declare_rule! {
    /// ## What it is
    ///
    /// An index of a table that becomes distributed or a reference table is in a tablespace of its own.
    ///
    /// ## Why on Citus
    ///
    /// Citus does not copy tablespaces, and refuses to create an index in one later.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE INDEX ON orders (id) TABLESPACE fast;
    /// ERROR:  specifying tablespaces with CREATE INDEX statements is currently unsupported
    /// ```
    ///
    /// ## Use instead
    ///
    /// The default tablespace of each worker, or `default_tablespace` set there.
    ///
    /// ## When to ignore
    ///
    /// Where the workers have one kind of disk.
    ///
    /// ## Source
    ///
    /// `commands/index.c:ErrorIfUnsupportedIndexStmt`
    code: "CA706", name: "index-tablespace", level: Info, effect: Runtime,
    title: "indexes of shards are in the default tablespace",
    remediation: "Leave the tablespace out.",
    source: "commands/index.c:ErrorIfUnsupportedIndexStmt",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for index in t.indexes.iter().filter(|i| i.parent.is_none()) {
            let Some(tablespace) = &index.tablespace else { continue };
            report(&t.name, ObjectType::of_index(index), &index.name, Objection {
                message: "specifying tablespaces with CREATE INDEX statements is currently unsupported".to_owned(),
                detail: Some(format!(
                    "{} of {} is in tablespace {}; on the shards it is in the default one.",
                    ident(&index.name),
                    t.name,
                    ident(tablespace)
                )),
                hint: None,
                fix_sql: Some(format!(
                    "ALTER INDEX {} SET TABLESPACE pg_default;",
                    RelationName::new(&t.name.schema, &index.name)
                )),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_tablespaces() {
        let schema = schema([table("t").columns("id bigint").with(|t| {
            t.indexes.push(index("i", "id", None));
            t.indexes[0].tablespace = Some("fast".into());
        })]);
        assert_eq!(found(&schema, "t: reference", "index-tablespace"), ["t.i"]);
        assert!(found(&schema, "", "index-tablespace").is_empty());
    }
}
