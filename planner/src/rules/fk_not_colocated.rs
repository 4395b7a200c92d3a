//! See [`RULE`].

use super::{Check, Effect, ForeignKeyCase, Level, Objection, Rule};
use crate::layout::{Layout, Placement};

/// `fk-not-colocated`, as raised by `ErrorIfUnsupportedForeignConstraintExists` (commands/foreign_constraint.c).
pub const RULE: Rule = Rule {
    code: "CA401",
    name: "fk-not-colocated",
    level: Level::Error,
    effect: Effect::Blocked,
    title: "foreign key between distributed tables that are not colocated",
    explanation: "",
    remediation: "Distribute both tables in one group, make the referenced table a reference table, or drop the key.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
};

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    match (layout.placement(case.edge.referencing), layout.placement(case.edge.referenced)) {
        (Placement::Distributed { group: a, .. }, Placement::Distributed { group: b, .. }) => a != b,
        _ => false,
    }
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (layout.graph.table(case.edge.referencing), layout.graph.table(case.edge.referenced));
    Objection {
        message: "cannot create foreign key constraint since relations are not colocated or not referencing a \
                  reference table"
            .into(),
        detail: Some(format!("{} and {} are distributed in different colocation groups.", table.name, referenced.name)),
        hint: None,
        fix_sql: None,
    }
}
