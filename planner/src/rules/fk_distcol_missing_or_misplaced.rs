//! See [`RULE`].

use super::support::{LEFT_TO_THE_SCRIPT, distribution_column, drop_constraint, ident, keep_as_reference, name, rebuild_foreign_key};
use super::{Check, ForeignKeyCase, Objection, Standing};
use super::rule::declare_rule;
use crate::graph::ColumnId;
use crate::layout::Layout;
use crate::schema::ReferentialAction::{NoAction, Restrict, SetDefault, SetNull};

declare_rule! {
    /// ## What it is
    ///
    /// Both tables are distributed in one group, but the foreign key does not pair the one distribution column with the
    /// other. Having both columns in the key is not enough: they must stand at the same position.
    ///
    /// ## Why on Citus
    ///
    /// A key that does not say that the distribution values are equal may lead to another shard.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE ticket ADD FOREIGN KEY (project_id) REFERENCES project (id);   -- both distributed by tenant_id
    /// ERROR:  cannot create foreign key constraint
    /// DETAIL:  Foreign keys are supported in two cases, either in between two colocated tables including partition column in the
    ///          same ordinal in the both tables or from distributed to reference tables
    /// ```
    ///
    /// ## Use instead
    ///
    /// Widen the key: the distribution column in front on both sides. The referenced table needs a key on the wider
    /// columns. Where two keys lead to the same table only one can hold the distribution column; the other is lost
    /// unless that table becomes a reference table.
    ///
    /// ## When to ignore
    ///
    /// Where losing the key was decided.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA409", name: "fk-distcol-missing-or-misplaced", level: Error, effect: Blocked,
    title: "the distribution columns are not at the same place of the foreign key",
    remediation: "Widen the key with the distribution column of both sides, or make the referenced table a reference table.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::ForeignKey { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> bool {
    match (case.from(layout), case.to(layout)) {
        (Standing::Distributed(from, a), Standing::Distributed(to, b)) => {
            // As Citus does it: where a column occurs twice, the last place counts.
            let of = |wanted: (bool, ColumnId)| {
                case.columns.iter().rposition(|&(f, t)| if wanted.0 { f == wanted.1 } else { t == wanted.1 })
            };
            let place = of((true, from));
            a == b && (place.is_none() || place != of((false, to)))
        }
        _ => false,
    }
}

/// Widens the key where neither distribution column is in it already; otherwise it can only be dropped.
fn fix(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<String> {
    let (table, referenced) = (case.edge.referencing, case.edge.referenced);
    let pair = layout.placement(table).distribution_column().zip(layout.placement(referenced).distribution_column());
    match pair.filter(|&(from, to)| !case.columns.iter().any(|&(f, t)| f == from || t == to)) {
        Some(pair) => {
            let mut columns = vec![pair];
            columns.extend_from_slice(&case.columns);
            let gentle = |action| match action {
                SetNull | SetDefault => NoAction,
                other => other,
            };
            let on_update = if case.on_update == Restrict { Restrict } else { NoAction };
            rebuild_foreign_key(layout, case, &columns, gentle(case.on_delete), on_update)
        }
        None => Some(drop_constraint(name(layout, table), &case.foreign_key.name)),
    }
}

fn word(layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Objection {
    let (table, referenced) = (case.edge.referencing, case.edge.referenced);
    let column = |t| distribution_column(layout, t).map_or(String::new(), |c| ident(&c.name));
    Objection {
        message: "cannot create foreign key constraint".to_owned(),
        detail: Some(format!(
            "Foreign keys are supported in two cases, either in between two colocated tables including partition column \
             in the same ordinal in the both tables or from distributed to reference tables. {} of {} does not pair {} with \
             {} of {}.",
            ident(&case.foreign_key.name),
            name(layout, table),
            column(table),
            column(referenced),
            name(layout, referenced)
        )),
        hint: match keep_as_reference(layout, referenced) {
            Some(way) if table != referenced => Some(format!("Widened it needs a key on the same columns of {}. {way}", name(layout, referenced))),
            _ => Some(format!(
                "Widened it needs a key on the same columns of {}. {LEFT_TO_THE_SCRIPT}",
                name(layout, referenced)
            )),
        },
        fix_sql: fix(layout, case),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    fn schema_with(columns: &str, target: &str) -> crate::schema::Schema {
        schema([
            table("p").columns("t bigint, id bigint").primary_key("t, id"),
            table("c").columns("t bigint, p_id bigint, x bigint").foreign_key("fk", columns, target),
        ])
    }

    #[test]
    fn wants_the_distribution_columns_side_by_side() {
        let both = "p: distributed t; c: distributed t";
        assert!(blocked(&schema_with("t, p_id", "p(t, id)"), both).is_empty());
        assert!(blocked(&schema_with("p_id, t", "p(id, t)"), both).is_empty());
        for (columns, target) in [("p_id, t", "p(t, id)"), ("x, p_id", "p(t, id)")] {
            let found = blocked(&schema_with(columns, target), both);
            assert_eq!(found, ["fk-distcol-missing-or-misplaced c.fk"], "{columns}");
        }
        assert!(blocked(&schema_with("p_id, t", "p(t, id)"), "p: distributed t a; c: reference").len() == 1);
    }

    #[test]
    fn widens_in_front() {
        let fix = one(&schema_with("p_id", "p(id)"), "p: distributed t; c: distributed t", "fk-distcol-missing-or-misplaced");
        assert_eq!(
            fix.fix_sql.unwrap(),
            "ALTER TABLE public.c DROP CONSTRAINT fk, ADD CONSTRAINT fk FOREIGN KEY (t, p_id) REFERENCES \
             public.p (t, id);"
        );
    }
}
