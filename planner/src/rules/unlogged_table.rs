//! See [`RULE`].

use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::Persistence;

declare_rule! {
    /// ## What it is
    ///
    /// The table is UNLOGGED and is to be distributed or copied.
    ///
    /// ## Why on Citus
    ///
    /// The shards are unlogged too. After a crash of one node its shards are empty while the others keep theirs: a part
    /// of the table is gone, or a reference table differs between nodes.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE UNLOGGED TABLE session (id bigint);
    /// SELECT create_distributed_table('session', 'id');
    /// ```
    ///
    /// ## Use instead
    ///
    /// SET LOGGED before distributing, or leave it local.
    ///
    /// ## When to ignore
    ///
    /// Where the rows are a cache that is rebuilt.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tableschemadef_string`
    code: "CA113", name: "unlogged-table", level: Warning, effect: Advice,
    title: "an unlogged table loses a part of its rows when a node crashes",
    remediation: "SET LOGGED before distributing.",
    source: "deparser/citus_ruleutils.c:pg_get_tableschemadef_string",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && layout.graph.table(case.table).persistence == Persistence::Unlogged
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let name = &layout.graph.table(case.table).name;
    Objection {
        message: format!("{name} is unlogged, and so are its shards"),
        detail: Some("After a crash of one node its shards are empty while the other nodes keep theirs.".to_owned()),
        hint: None,
        fix_sql: Some(format!("ALTER TABLE {name} SET LOGGED;")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Persistence;

    #[test]
    fn tells_of_unlogged_tables() {
        let schema = schema([table("t").columns("id bigint").with(|t| t.persistence = Persistence::Unlogged)]);
        assert_eq!(found(&schema, "t: reference", "unlogged-table"), ["t"]);
        assert!(found(&schema, "", "unlogged-table").is_empty());
    }
}
