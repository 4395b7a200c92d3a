//! See [`RULE`].

use super::support::{bare, distribution_column, ident, name};
use super::{Check, Objection, ObjectType};
use super::rule::declare_rule;
use crate::citus_version::CitusVersion;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::Column;

declare_rule! {
    /// ## What it is
    ///
    /// A table and the tables of its colocation group have distribution columns of different collations.
    ///
    /// ## Why on Citus
    ///
    /// Tables of one group are joined shard by shard: equal values must have equal hashes, and hashes belong to the
    /// type and collation.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('realm', 'code');                                      -- COLLATE "C"
    /// SELECT create_distributed_table('realm_user', 'realm_code', colocate_with => 'realm');  -- COLLATE "POSIX"
    /// ERROR:  cannot colocate tables realm_user and realm
    /// DETAIL:  Distribution column collations don't match for realm_user and realm.
    /// ```
    ///
    /// ## Use instead
    ///
    /// Give all tables of the group the same collation before anything is distributed.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails. In its own group the table is fine, but joins and foreign keys to the others are lost.
    ///
    /// ## Source
    ///
    /// `utils/colocation_utils.c:EnsureTableCanBeColocatedWith`
    code: "CA212", name: "distcol-group-collation-mismatch", level: Error, effect: Blocked,
    title: "distribution columns of one group have different collations",
    remediation: "Give all tables of the group the same collation before distributing.",
    source: "utils/colocation_utils.c:EnsureTableCanBeColocatedWith",
    check: Check::Newcomer(refuses),
}

fn collation(column: &Column) -> Option<&str> {
    column.collation.as_ref().map(|c| c.name.as_str())
}

fn refuses(layout: &Layout<'_>, table: TableId, accepted: &[TableId]) -> Option<(ObjectType, String, Objection)> {
    let group = layout.placement(table).group()?;
    let leader = *accepted.iter().find(|&&t| layout.placement(t).group() == Some(group))?;
    let (a, b) = (distribution_column(layout, leader)?, distribution_column(layout, table)?);
    let differ = a.data_type == b.data_type && collation(a) != collation(b);
    differ.then(|| {
        let (leader, newcomer) = ((leader, bare(layout, leader)), bare(layout, table));
        (ObjectType::Column, b.name.clone(), objection(layout, leader, (table, newcomer)))
    })
}

fn objection(layout: &Layout<'_>, (leader_id, leader): (TableId, &str), (id, newcomer): (TableId, &str)) -> Objection {
    let describe = |t: TableId| {
        let column = distribution_column(layout, t);
        let what = column.map_or(String::new(), |c| c.collation.as_ref().map_or(String::new(), |c| format!("COLLATE {}", c.name)));
        format!("{}.{} is {what}", name(layout, t), column.map_or(String::new(), |c| ident(&c.name)))
    };
    Objection {
        message: match layout.graph.citus >= CitusVersion::new(14, 0, 0) {
            // Before, only the workers looked, and named them in this order.
            false => format!("cannot colocate tables {newcomer} and {leader}"),
            true => format!("cannot colocate tables {leader} and {newcomer}"),
        },
        detail: Some(format!(
            "Distribution column collations don't match for {newcomer} and {leader}. {}, {}.",
            describe(leader_id),
            describe(id)
        )),
        hint: Some("Change it before anything is distributed: afterwards a distribution column keeps its type.".to_owned()),
        fix_sql: fix(layout, leader_id, id),
    }
}

fn fix(layout: &Layout<'_>, leader: TableId, table: TableId) -> Option<String> {
    let (a, b) = (distribution_column(layout, leader)?, distribution_column(layout, table)?);
    let wanted = format!("{} COLLATE {}", b.type_text, collation(a)?);
    Some(super::support::set_type(name(layout, table), &b.name, &wanted))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_another_collation() {
        let posix = crate::schema::Collation { name: "pg_catalog.\"POSIX\"".into(), deterministic: true };
        let schema = schema([
            table("realm").columns("code text").primary_key("code"),
            table("realm_user").columns("realm_code text").with(|t| t.columns[0].collation = Some(posix)),
            table("realm_role").columns("realm_code text"),
        ]);
        let all = "realm: distributed code; realm_user: distributed realm_code; realm_role: distributed realm_code";
        let finding = one(&schema, all, "distcol-group-collation-mismatch");
        assert_eq!(finding.message, "cannot colocate tables realm_user and realm");
        let newer = crate::schema::Schema { citus_target: Some("14.0".into()), ..schema.clone() };
        let finding = one(&newer, all, "distcol-group-collation-mismatch");
        assert_eq!(finding.message, "cannot colocate tables realm and realm_user");
        let two = "realm: distributed code; realm_role: distributed realm_code";
        assert!(found(&schema, two, "distcol-group-collation-mismatch").is_empty());
    }
}
