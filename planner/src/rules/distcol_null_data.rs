//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::schema::TypeKind;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column is not declared NOT NULL.
    ///
    /// ## Why on Citus
    ///
    /// A row without a distribution value has no shard. If a row has NULL there, distributing the table fails in the
    /// middle of the copy; a later INSERT of such a row fails as well.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('lead', 'account_id');
    /// ERROR:  the partition column of table public.lead cannot be NULL
    /// ```
    ///
    /// ## Use instead
    ///
    /// Fill or delete such rows, then declare the column NOT NULL.
    ///
    /// ## When to ignore
    ///
    /// Where a check elsewhere makes NULL impossible, and the statement cannot be had now.
    ///
    /// ## Source
    ///
    /// `commands/multi_copy.c:CitusSendTupleToPlacements`
    code: "CA210", name: "distcol-null-data", level: Warning, effect: Data,
    title: "the distribution column may be NULL",
    remediation: "Fill or delete rows without a value, then SET NOT NULL.",
    source: "commands/multi_copy.c:CitusSendTupleToPlacements",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let column = layout.graph.column(case.table, case.column);
    !column.not_null && column.generated.is_none() && !domain_forbids_null(layout, &column.data_type)
}

/// NOT NULL of a domain holds for the column too.
fn domain_forbids_null(layout: &Layout<'_>, key: &str) -> bool {
    let Some(mut t) = layout.graph.data_type(key) else { return false };
    loop {
        match t.inner.as_deref().filter(|_| t.kind == TypeKind::Domain).map(|inner| layout.graph.data_type(inner)) {
            _ if t.kind == TypeKind::Domain && t.not_null => return true,
            Some(Some(inner)) => t = inner,
            _ => return false,
        }
    }
}

/// The largest fraction of NULLs that is known of the table or one of its leaves.
fn null_fraction(layout: &Layout<'_>, case: &ColumnCase) -> Option<f64> {
    let graph = layout.graph;
    let name = &graph.column(case.table, case.column).name;
    let leaves = graph.leaves(case.table).into_iter();
    std::iter::once(case.table)
        .chain(leaves)
        .filter_map(|t| graph.column(t, graph.find_column(t, name)?).statistics.as_ref())
        .map(|s| s.null_fraction)
        .max_by(f64::total_cmp)
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    let evidence = match null_fraction(layout, case) {
        Some(0.0) => "None in the statistics.".to_owned(),
        Some(fraction) if fraction < 0.01 => "Less than 1 % of the rows are, by the statistics.".to_owned(),
        Some(fraction) => format!("About {:.0} % of the rows are, by the statistics.", fraction * 100.0),
        None if !table.statistics_readable => "The statistics may not be read by this role.".to_owned(),
        None => "There are no statistics: whether rows are NULL is not known.".to_owned(),
    };
    Objection {
        message: format!("the partition column of table {} cannot be NULL", table.name),
        detail: Some(format!("{}.{} may be NULL. {evidence}", table.name, ident(&column.name))),
        hint: Some("Rows without a value must be filled or deleted first.".to_owned()),
        fix_sql: Some(format!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;", table.name, ident(&column.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::statistics::ColumnStatistics;

    fn with_nulls(fraction: f64) -> Option<String> {
        let statistics = ColumnStatistics {
            null_fraction: fraction,
            n_distinct: -1.0,
            average_width: 8,
            top_frequency: None,
            correlation: None,
        };
        let schema = schema([table("t").columns("a bigint").with(|t| t.columns[0].statistics = Some(statistics))]);
        one(&schema, "t: distributed a", "distcol-null-data").detail
    }

    #[test]
    fn says_what_the_statistics_say() {
        assert_eq!(with_nulls(0.0).unwrap(), "public.t.a may be NULL. None in the statistics.");
        assert_eq!(with_nulls(0.031).unwrap(), "public.t.a may be NULL. About 3 % of the rows are, by the statistics.");
    }

    #[test]
    fn accepts_not_null() {
        let schema = schema([table("t").columns("a bigint not null, b bigint")]);
        assert!(found(&schema, "t: distributed a", "distcol-null-data").is_empty());
        assert!(found(&schema, "t: reference", "distcol-null-data").is_empty());
        assert_eq!(found(&schema, "t: distributed b", "distcol-null-data"), ["t.b"]);
    }
}
