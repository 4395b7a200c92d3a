//! See [`RULE`].

use super::support::{bare, enumerate, ident, name, override_call, thousands};
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::assignment::Role;
use crate::graph::{ColumnId, TableId};
use crate::layout::Layout;
use crate::schema::TypeKind;
use crate::statistics::ColumnStatistics;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column has few distinct values or one that dominates, is a date, time, floating point number,
    /// boolean or enum; or the table is joined with others on another column.
    ///
    /// ## Why on Citus
    ///
    /// A value is never split: few values fill few shards, and a dominant one fills one shard. Queries that do not name
    /// the distribution column go to all shards. Tables in one group whose columns merely have the same type are not
    /// related by that: only a column that means the same in both keeps joins and foreign keys on one node.
    ///
    /// ## Example
    ///
    /// ```sql
    /// -- payment_events is joined with payment_users on user_id
    /// SELECT create_distributed_table('payment_events', 'event_id');   -- every join goes over the network
    /// ```
    ///
    /// ## Use instead
    ///
    /// The column on which the table is joined with others in its group: the tenant, customer or user that queries
    /// name.
    ///
    /// ## When to ignore
    ///
    /// Where queries name just this column.
    ///
    /// ## Source
    ///
    /// `utils/shardinterval_utils.c`
    code: "CA901", name: "distcol-poor-choice", level: Warning, effect: Advice,
    title: "a poor distribution column",
    remediation: "Distribute by the column on which the table is joined and filtered.",
    source: "utils/shardinterval_utils.c",
    check: Check::DistributionColumn { applies, word },
}

/// Below this many distinct values shards stay empty (32 shards, some luck); above this share one shard is too large.
const FEW: f64 = 128.0;
const DOMINANT: f64 = 0.2;

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    better_column(layout, case).is_some() || poor_type(layout, case).is_some() || skew(layout, case).is_some()
}

/// Where the distribution column joins nothing, a column that does: with the table it is joined with and that column.
fn better_column(layout: &Layout<'_>, case: &ColumnCase) -> Option<(ColumnId, TableId, bool)> {
    let graph = layout.graph;
    let joins = graph.backfill(case.table, case.column).is_some()
        || graph.outgoing(case.table).any(|e| e.columns.iter().any(|&(from, _)| from == case.column))
        || graph.incoming(case.table).any(|e| e.columns.iter().any(|&(_, to)| to == case.column));
    if joins {
        return None;
    }
    let candidates = graph.outgoing(case.table).filter(|e| e.referenced != case.table && e.columns.len() == 1);
    let ranked = candidates.map(|e| {
        let (from, to) = e.columns[0];
        let by_it = layout.placement(e.referenced).distribution_column() == Some(to);
        (by_it, graph.rows(e.referenced).unwrap_or(0), std::cmp::Reverse(from), (from, e.referenced, by_it))
    });
    // A table that is copied everywhere is joined for free.
    ranked.filter(|&(by_it, .., (_, other, _))| by_it || layout.is_distributed(other)).max().map(|(.., found)| found)
}

fn poor_type<'a>(layout: &Layout<'a>, case: &ColumnCase) -> Option<&'a str> {
    let column = layout.graph.column(case.table, case.column);
    let base = layout.graph.base_type(&column.data_type)?;
    let poor = ["date", "time", "interval", "double precision", "real", "boolean"];
    let is_poor = base.kind == TypeKind::Enum || poor.iter().any(|p| base.text.starts_with(p));
    is_poor.then_some(&column.type_text)
}

/// What the statistics say against the column.
fn skew(layout: &Layout<'_>, case: &ColumnCase) -> Option<String> {
    let graph = layout.graph;
    let statistics = statistics(layout, case)?;
    let rows = graph.rows(case.table).filter(|&rows| rows >= 1000)?;
    let distinct = statistics.distinct_values(rows);
    match statistics.top_frequency {
        Some(top) if top > DOMINANT => Some(format!("One value has {:.0} % of the rows.", top * 100.0)),
        _ if distinct < FEW => {
            Some(format!("It has about {} distinct values in {} rows.", thousands(distinct as i64), thousands(rows)))
        }
        _ => None,
    }
}

fn statistics<'a>(layout: &Layout<'a>, case: &ColumnCase) -> Option<&'a ColumnStatistics> {
    let graph = layout.graph;
    let name = &graph.column(case.table, case.column).name;
    let family = std::iter::once(case.table).chain(graph.leaves(case.table));
    family.into_iter().find_map(|t| graph.column(t, graph.find_column(t, name)?).statistics.as_ref())
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let graph = layout.graph;
    let (table, column) = (name(layout, case.table), ident(&graph.column(case.table, case.column).name));
    let mut reasons = Vec::new();
    let better = better_column(layout, case);
    if let Some((join, other, by_it)) = better {
        let join = ident(&graph.column(case.table, join).name);
        let lost = if by_it || layout.is_distributed(other) { " that foreign key is lost," } else { "" };
        reasons.push(format!(
            "{} is joined to {} on {join}; distributed on {column}{lost} and sharing a group with another {} column by type \
             alone means nothing.",
            bare(layout, case.table),
            name(layout, other),
            graph.column(case.table, case.column).type_text
        ));
    }
    if let Some(type_text) = poor_type(layout, case) {
        reasons.push(format!("{column} is {type_text}: few queries name exactly one value."));
    }
    reasons.extend(skew(layout, case));
    let others: Vec<String> = graph.outgoing(case.table).filter(|e| e.columns.len() == 1).map(|e| {
        ident(&graph.column(case.table, e.columns[0].0).name)
    }).collect();
    Objection {
        message: format!("{column} is a poor distribution column for {table}"),
        detail: Some(reasons.join(" ")),
        hint: match better {
            Some((join, other, _)) => Some(format!(
                "Distribute it by {}, together with {}.",
                ident(&graph.column(case.table, join).name),
                name(layout, other)
            )),
            None if others.is_empty() => None,
            None => Some(format!("It is joined with other tables on {}.", enumerate(&others))),
        },
        fix_sql: better
            .map(|(join, ..)| override_call(layout, case.table, Role::Distributed, Some(&graph.column(case.table, join).name))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::statistics::ColumnStatistics;

    #[test]
    fn names_the_column_of_the_join() {
        let schema = schema([
            table("payment_users").columns("user_id bigint").primary_key("user_id"),
            table("payment_events").columns("event_id bigint, user_id bigint").foreign_key("fk", "user_id", "payment_users(user_id)"),
        ]);
        let finding =
            one(&schema, "payment_users: distributed user_id; payment_events: distributed event_id", "distcol-poor-choice");
        assert_eq!(
            finding.detail.as_deref(),
            Some(
                "payment_events is joined to public.payment_users on user_id; distributed on event_id that foreign key is \
                 lost, and sharing a group with another bigint column by type alone means nothing."
            )
        );
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some(
                "SELECT advisor.plan_distribution(overrides => '{\"public.payment_users\": {\"role\": \"distributed\", \
                 \"column\": \"user_id\", \"group\": \"g\"}, \"public.payment_events\": {\"role\": \"distributed\", \
                 \"column\": \"user_id\"}}');"
            )
        );
        let joined = "payment_users: distributed user_id; payment_events: distributed user_id";
        assert!(found(&schema, joined, "distcol-poor-choice").is_empty());
    }

    #[test]
    fn reads_types_and_statistics() {
        let statistics = |n_distinct: f64| ColumnStatistics {
            null_fraction: 0.0,
            n_distinct,
            average_width: 8,
            top_frequency: None,
            correlation: None,
        };
        let schema = schema([table("t").columns("at timestamp, few bigint, many bigint").with(|t| {
            t.rows = Some(100_000);
            t.columns[1].statistics = Some(statistics(7.0));
            t.columns[2].statistics = Some(statistics(-0.9));
        })]);
        let detail = |column: &str| {
            let text = format!("t: distributed {column}");
            findings(&schema, &text).into_iter().find(|f| f.name == "distcol-poor-choice").and_then(|f| f.detail)
        };
        assert_eq!(detail("at").unwrap(), "at is timestamp: few queries name exactly one value.");
        assert_eq!(detail("few").unwrap(), "It has about 7 distinct values in 100,000 rows.");
        assert_eq!(detail("many"), None);
    }
}
