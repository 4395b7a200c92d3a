//! See [`RULE`].

use super::support::{enumerate, ident, name, widen_type};
use super::{Check, ForeignKeyCase, Objection};
use super::rule::declare_rule;
use crate::graph::ColumnId;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A foreign key of a distributed table pairs columns of different types, int with bigint say.
    ///
    /// ## Why on Citus
    ///
    /// PostgreSQL and Citus accept it, unless the columns are the distribution columns (distcol-group-type-mismatch).
    /// But after distribution changing a type is hard, and joins on the pair are not pushed down.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE item (tenant_id bigint, order_id int, FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id));   -- orders.id is bigint
    /// ```
    ///
    /// ## Use instead
    ///
    /// The same type on both sides, before distributing.
    ///
    /// ## When to ignore
    ///
    /// Where the columns are rarely joined and never outgrow the narrow type.
    ///
    /// ## Source
    ///
    /// `planner/multi_join_order.c`
    code: "CA419", name: "fk-type-mismatch", level: Info, effect: Advice,
    title: "the columns of a foreign key differ in type",
    remediation: "Give both sides the same type before distributing.",
    source: "planner/multi_join_order.c",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    layout.is_distributed(case.edge.referencing)
        && !layout.is_local(case.edge.referenced)
        && pairs(layout, case).next().is_some()
}

fn pairs<'c>(layout: &'c Layout<'_>, case: &'c ForeignKeyCase<'_>) -> impl Iterator<Item = (ColumnId, ColumnId)> + 'c {
    let key = |table, column| layout.graph.column(table, column).data_type.as_str();
    case.columns
        .iter()
        .copied()
        .filter(move |&(from, to)| key(case.edge.referencing, from) != key(case.edge.referenced, to))
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let graph = layout.graph;
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    let described: Vec<String> = pairs(layout, case)
        .map(|(from, to)| {
            let (a, b) = (graph.column(case.edge.referencing, from), graph.column(case.edge.referenced, to));
            format!("{} is {}, {referenced}.{} is {}", ident(&a.name), a.type_text, ident(&b.name), b.type_text)
        })
        .collect();
    let first = pairs(layout, case).next();
    Objection {
        message: format!("foreign key {} pairs columns of different types", ident(&case.foreign_key.name)),
        detail: Some(format!("{table}: {}.", enumerate(&described))),
        hint: Some("Types are hard to change once the tables are distributed.".to_owned()),
        fix_sql: first.and_then(|(from, to)| {
            let wanted = &graph.column(case.edge.referenced, to).type_text;
            widen_type(layout, case.edge.referencing, &graph.column(case.edge.referencing, from).name, wanted)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn compares_types_of_pairs() {
        let schema = schema([
            table("p").columns("t bigint, id bigint").primary_key("t, id"),
            table("c").columns("t bigint, p_id int, q_id bigint").foreign_key("a", "t, p_id", "p(t, id)").foreign_key("b", "t, q_id", "p(t, id)"),
        ]);
        assert_eq!(found(&schema, "p: distributed t; c: distributed t", "fk-type-mismatch"), ["c.a"]);
        assert!(found(&schema, "", "fk-type-mismatch").is_empty());
    }
}
