//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The role that asks may not act as the owner of the table, or of one of its partitions.
    ///
    /// ## Why on Citus
    ///
    /// Citus demands the owner or a superuser for every table and every partition. The plan is right all the same; only
    /// the script must be run by somebody else. So it is no objection to the layout, and not called blocked.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('orders', 'shop_id');
    /// ERROR:  must be owner of table orders
    /// ```
    ///
    /// ## Use instead
    ///
    /// Run the script as the owner or as a superuser, or give stray partitions to the owner of their parent.
    ///
    /// ## When to ignore
    ///
    /// Where another role will run the script.
    ///
    /// ## Source
    ///
    /// `metadata/metadata_utility.c:EnsureTableOwner`
    code: "CA115", name: "not-owner", level: Warning, effect: Runtime,
    title: "only the owner may distribute the table",
    remediation: "Run the script as the owner or as a superuser.",
    source: "metadata/metadata_utility.c:EnsureTableOwner",
    check: Check::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && stranger(layout, case.table).is_some()
}

fn stranger(layout: &Layout<'_>, table: TableId) -> Option<TableId> {
    let family = std::iter::once(table).chain(layout.graph.descendants(table));
    family.into_iter().find(|&t| !layout.graph.table(t).owned_by_reader)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let graph = layout.graph;
    let table = graph.table(stranger(layout, case.table).unwrap_or(case.table));
    let parent = graph.table(case.table);
    Objection {
        message: format!("must be owner of table {}", table.name.name),
        detail: Some(format!("{} belongs to {}.", table.name, ident(&table.owner))),
        hint: Some("The script must be run by the owner or a superuser.".to_owned()),
        fix_sql: (table.owner != parent.owner)
            .then(|| format!("ALTER TABLE {} OWNER TO {};", table.name, ident(&parent.owner))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn looks_at_partitions_too() {
        let schema = schema([
            table("p").columns("id bigint").partitioned(),
            table("p_1").columns("id bigint").partition_of("p").with(|t| {
                t.owner = "stranger".into();
                t.owned_by_reader = false;
            }),
            table("t").columns("id bigint"),
        ]);
        let finding = one(&schema, "p: distributed id; t: reference", "not-owner");
        assert_eq!(finding.fix_sql.as_deref(), Some("ALTER TABLE public.p_1 OWNER TO owner;"));
        assert_eq!(finding.message, "must be owner of table p_1");
        assert!(found(&schema, "t: reference", "not-owner").is_empty());
    }
}
