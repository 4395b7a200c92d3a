//! See [`RULE`].

use super::support::{bare, distribution_column, ident, name};
use super::{Check, Objection, ObjectType};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A table and the tables of its colocation group have distribution columns of different types. int and bigint,
    /// varchar and text, a domain and its base type all differ; length and precision do not matter.
    ///
    /// ## Why on Citus
    ///
    /// Tables of one group are joined shard by shard: equal values must have equal hashes, and hashes belong to the
    /// type.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('org', 'id');                              -- bigint
    /// SELECT create_distributed_table('seat', 'org_id', colocate_with => 'org');  -- int
    /// ERROR:  cannot colocate tables org and seat
    /// DETAIL:  Distribution column types don't match for org and seat.
    /// ```
    ///
    /// ## Use instead
    ///
    /// Give all tables of the group the same type before anything is distributed; foreign key columns and sequences go
    /// with it. Afterwards the type of a distribution column cannot be changed.
    ///
    /// ## When to ignore
    ///
    /// Never: the call fails. In its own group the table is fine, but joins and foreign keys to the others are lost.
    ///
    /// ## Source
    ///
    /// `utils/colocation_utils.c:EnsureTableCanBeColocatedWith`
    code: "CA211", name: "distcol-group-type-mismatch", level: Error, effect: Blocked,
    title: "distribution columns of one group have different types",
    remediation: "Give all tables of the group the same type before distributing.",
    source: "utils/colocation_utils.c:EnsureTableCanBeColocatedWith",
    check: Check::Newcomer(refuses),
}

/// The wider of two types that people mix, as DDL writes it; the leader's where neither is.
fn wider(a: &str, b: &str) -> String {
    const ORDER: [&str; 5] = ["smallint", "integer", "bigint", "character varying", "text"];
    let rank = |t: &str| ORDER.iter().position(|o| t.starts_with(o));
    if rank(b) > rank(a) { b.to_owned() } else { a.to_owned() }
}

fn refuses(layout: &Layout<'_>, table: TableId, accepted: &[TableId]) -> Option<(ObjectType, String, Objection)> {
    let group = layout.placement(table).group()?;
    let leader = *accepted.iter().find(|&&t| layout.placement(t).group() == Some(group))?;
    let (a, b) = (distribution_column(layout, leader)?, distribution_column(layout, table)?);
    let differ = a.data_type != b.data_type;
    differ.then(|| {
        let (leader, newcomer) = ((leader, bare(layout, leader)), bare(layout, table));
        (ObjectType::Column, b.name.clone(), objection(layout, leader, (table, newcomer)))
    })
}

fn objection(layout: &Layout<'_>, (leader_id, leader): (TableId, &str), (id, newcomer): (TableId, &str)) -> Objection {
    let describe = |t: TableId| {
        let column = distribution_column(layout, t);
        let what = column.map_or(String::new(), |c| c.type_text.clone());
        format!("{}.{} is {what}", name(layout, t), column.map_or(String::new(), |c| ident(&c.name)))
    };
    Objection {
        message: format!("cannot colocate tables {leader} and {newcomer}"),
        detail: Some(format!(
            "Distribution column types don't match for {leader} and {newcomer}. {}, {}.",
            describe(leader_id),
            describe(id)
        )),
        hint: Some("Change it before anything is distributed: afterwards a distribution column keeps its type.".to_owned()),
        fix_sql: fix(layout, leader_id, id),
    }
}

fn fix(layout: &Layout<'_>, leader: TableId, table: TableId) -> Option<String> {
    let (a, b) = (distribution_column(layout, leader)?, distribution_column(layout, table)?);
    let wanted = wider(&a.type_text, &b.type_text);
    let (table, column) = if wanted == b.type_text { (leader, a) } else { (table, b) };
    Some(super::support::set_type(name(layout, table), &column.name, &wanted))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn refuses_the_one_that_does_not_fit_the_root() {
        let schema = schema([
            table("org").columns("id bigint").primary_key("id"),
            table("seat").columns("org_id int"),
            table("desk").columns("org_id bigint"),
        ]);
        let all = "org: distributed id; seat: distributed org_id; desk: distributed org_id";
        let finding = one(&schema, all, "distcol-group-type-mismatch");
        assert_eq!(finding.message, "cannot colocate tables org and seat");
        assert_eq!(finding.fix_sql.as_deref(), Some("ALTER TABLE public.seat ALTER COLUMN org_id TYPE bigint;"));
        let apart = "org: distributed id; seat: distributed org_id h; desk: distributed org_id";
        assert!(found(&schema, apart, "distcol-group-type-mismatch").is_empty());
    }
}
