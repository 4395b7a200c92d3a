//! See [`RULE`].

use super::support::{ident, name};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key is part of a cycle: following foreign keys between tables to be distributed leads back to the
    /// table.
    ///
    /// ## Why on Citus
    ///
    /// With the keys in place whichever table is distributed first references a table that is still local. Made again
    /// afterwards the keys are fine.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('team', 'id');   -- team references person, person references team
    /// ERROR:  referenced table "person" must be a distributed table or a reference table
    /// ```
    ///
    /// ## Use instead
    ///
    /// Drop at least one key of the cycle and add it again afterwards; the migration script does.
    ///
    /// ## When to ignore
    ///
    /// When the migration script is used.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA418", name: "fk-cycle", level: Info, effect: Advice,
    title: "tables that reference each other cannot be distributed one after the other",
    remediation: "Drop a key of the cycle before and add it afterwards.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    !case.is_self_reference()
        && layout.is_distributed(case.edge.referencing)
        && layout.is_distributed(case.edge.referenced)
        && reaches(layout, case.edge.referenced, case.edge.referencing)
}

/// Whether foreign keys between distributed tables lead from one table to another.
fn reaches(layout: &Layout<'_>, from: TableId, to: TableId) -> bool {
    let mut seen = vec![false; layout.graph.schema.tables.len()];
    let mut open = vec![from];
    while let Some(table) = open.pop() {
        if table == to {
            return true;
        }
        if !std::mem::replace(&mut seen[table.0], true) {
            let next = layout.graph.outgoing(table).map(|e| e.referenced);
            open.extend(next.filter(|&t| layout.is_distributed(t)));
        }
    }
    false
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    Objection {
        message: format!("foreign key {} is part of a cycle", ident(&case.foreign_key.name)),
        detail: Some(format!("{table} references {referenced}, and following foreign keys leads back to {table}.")),
        hint: Some("Distribute without it and add it again afterwards.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn finds_cycles_of_distributed_tables() {
        let schema = schema([
            table("a").columns("id bigint, b_id bigint").primary_key("id").foreign_key("ab", "id", "b(id)"),
            table("b").columns("id bigint, a_id bigint").primary_key("id").foreign_key("ba", "id", "a(id)"),
            table("c").columns("id bigint").foreign_key("ca", "id", "a(id)"),
        ]);
        let all = "a: distributed id; b: distributed id; c: distributed id";
        assert_eq!(found(&schema, all, "fk-cycle"), ["a.ab", "b.ba"]);
        assert!(found(&schema, "a: distributed id; b: reference", "fk-cycle").is_empty());
    }
}
