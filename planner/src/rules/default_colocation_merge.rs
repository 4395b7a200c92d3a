//! See [`RULE`].

use std::collections::BTreeMap;

use super::support::{enumerate, ident};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::identifier::quote_literal;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A table is in a colocation group with others, but neither a foreign key nor its name says that its distribution
    /// column holds the same as theirs.
    ///
    /// ## Why on Citus
    ///
    /// Without `colocate_with` Citus puts a table into the first group whose column has the same type, even one made
    /// with 'none'. Tables of one group move together in every rebalance and cannot have different numbers of shards,
    /// related or not. Sharing a group keeps joins on one node only if the columns mean the same.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('payment_users', 'user_id');
    /// SELECT create_distributed_table('audit_log', 'entry_id');   -- bigint too: the same group, unrelated
    /// ```
    ///
    /// ## Use instead
    ///
    /// `colocate_with => 'none'` for the first table of each group, the name of that table for the others.
    ///
    /// ## When to ignore
    ///
    /// Where the columns mean the same and only the foreign key is missing.
    ///
    /// ## Source
    ///
    /// `utils/colocation_utils.c:ColocationId`
    code: "CA905", name: "default-colocation-merge", level: Info, effect: Silent,
    title: "tables share a group by type alone",
    remediation: "Give it a group of its own (colocate_with => 'none').",
    source: "utils/colocation_utils.c:ColocationId",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    if layout.groups.is_empty() {
        return;
    }
    let classes = layout.graph.classes();
    for members in layout.members_by_group() {
        let class = |t: TableId| layout.placement(t).distribution_column().map(|c| classes.class(t, c));
        let mut like = BTreeMap::new();
        for &table in &members {
            *like.entry(class(table)).or_insert(0) += 1;
        }
        for &table in &members {
            let related = like[&class(table)] > 1;
            let Some(column) = layout.distribution_column_name(table) else { continue };
            if members.len() < 2 || related {
                continue;
            }
            let t = layout.graph.table(table);
            let others = members.iter().filter(|&&o| o != table).map(|&o| layout.graph.table(o).name.to_string());
            let others: Vec<String> = others.collect();
            report(&t.name, ObjectType::Column, column, Objection {
                message: format!("{} shares a group by the type of {} alone", t.name, ident(column)),
                detail: Some(format!(
                    "Neither a foreign key nor its name joins {} to {}, with which it is colocated.",
                    ident(column),
                    enumerate(&others)
                )),
                hint: Some("In a group of its own it can be moved by itself.".to_owned()),
                fix_sql: is_there(layout, table).then(|| {
                    let name = quote_literal(&t.name.to_string());
                    format!("SELECT update_distributed_table_colocation({name}, colocate_with => 'none');")
                }),
            });
        }
    }
}

fn is_there(layout: &Layout<'_>, table: TableId) -> bool {
    let name = &layout.graph.table(table).name;
    layout.graph.schema.citus_tables.iter().any(|c| c.kind == "distributed" && c.name == *name)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_strangers_in_a_group() {
        let schema = schema([
            table("users").columns("id bigint").primary_key("id"),
            table("events").columns("user_id bigint").foreign_key("fk", "user_id", "users(id)"),
            table("audit").columns("entry_id bigint"),
        ]);
        let all = "users: distributed id; events: distributed user_id; audit: distributed entry_id";
        assert_eq!(found(&schema, all, "default-colocation-merge"), ["audit.entry_id"]);
        let apart = "users: distributed id; events: distributed user_id; audit: distributed entry_id other";
        assert!(found(&schema, apart, "default-colocation-merge").is_empty());
    }
}
