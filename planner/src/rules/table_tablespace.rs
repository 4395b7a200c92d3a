//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A table that becomes distributed or a reference table is in a tablespace of its own.
    ///
    /// ## Why on Citus
    ///
    /// Citus does not copy tablespaces: the shards lie in the default tablespace of each worker. `SET TABLESPACE` is
    /// refused afterwards.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE orders (...) TABLESPACE fast;
    /// SELECT create_distributed_table('orders', 'shop_id');   -- shards are in pg_default
    /// ```
    ///
    /// ## Use instead
    ///
    /// Set `default_tablespace` of the workers.
    ///
    /// ## When to ignore
    ///
    /// Where the workers have one kind of disk.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tableschemadef_string`
    code: "CA707", name: "table-tablespace", level: Info, effect: Silent,
    title: "shards are in the default tablespace",
    remediation: "Set default_tablespace on the workers.",
    source: "deparser/citus_ruleutils.c:pg_get_tableschemadef_string",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && layout.graph.table(case.table).tablespace.is_some()
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let table = layout.graph.table(case.table);
    let tablespace = ident(table.tablespace.as_deref().unwrap_or(""));
    Objection {
        message: format!("shards of {} are not in tablespace {tablespace}", table.name),
        detail: Some("Citus does not copy tablespaces; shards lie in the default one of each worker.".to_owned()),
        hint: None,
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_tablespaces() {
        let schema = schema([table("t").columns("id bigint").with(|t| t.tablespace = Some("fast".into()))]);
        assert_eq!(found(&schema, "t: reference", "table-tablespace"), ["t"]);
        assert!(found(&schema, "", "table-tablespace").is_empty());
    }
}
