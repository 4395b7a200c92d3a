//! See [`RULE`].

use super::rule::declare_rule;
use super::support::{ident, name};
use super::{Check, ColumnCase, Objection};
use crate::backfill::sql::{self, Values};
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// A distribution column that the plan adds could be filled over more than one foreign key, and nobody has promised that
    /// they lead to the same value.
    ///
    /// ## Why on Citus
    ///
    /// A row lives on one node. If a message belongs to the tenant of its sender by one foreign key and to the tenant of its
    /// reader by another, the one that the path takes decides, and the other foreign key cannot be widened.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE message ADD FOREIGN KEY (sender_id) REFERENCES member, ADD FOREIGN KEY (reader_id) REFERENCES member;
    /// ```
    ///
    /// ## Use instead
    ///
    /// Run the query of the hint; it must return no row. If it does, decide what the rows mean: repair them, or plan with
    /// another column.
    ///
    /// ## When to ignore
    ///
    /// Where the query has returned nothing and the application cannot write such rows.
    ///
    /// ## Source
    ///
    /// `commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists`
    code: "CA222", name: "backfill-ambiguous", level: Warning, effect: Data,
    title: "two foreign keys may lead to different values of the distribution column",
    remediation: "Look for rows whose paths disagree before the migration.",
    source: "commands/foreign_constraint.c:ErrorIfUnsupportedForeignConstraintExists",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    layout.graph.backfill(case.table, case.column).is_some_and(|b| !b.rivals().is_empty())
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let graph = layout.graph;
    let (table, column) = (name(layout, case.table), ident(&graph.column(case.table, case.column).name));
    let ways = graph.backfill(case.table, case.column).map(|b| b.ways.as_slice()).unwrap_or_default();
    let key = |way: &crate::backfill::Way| ident(&graph.foreign_key(&graph.edges[way.edge]).name);
    let values = Values::by_path(graph);
    let differ = graph.backfill(case.table, case.column).map_or(Vec::new(), |b| {
        b.rivals().iter().filter_map(|rival| values.disagrees("t", b, rival)).collect()
    });
    let (path, others) = ways.split_first().map_or((String::new(), Vec::new()), |(first, rest)| {
        (key(first), rest.iter().map(key).collect::<Vec<_>>())
    });
    Objection {
        message: format!("{column} of {table} can be reached over {path}, and over {}", others.join(", ")),
        detail: Some(format!(
            "It is filled over {path}{}. This must return no row:",
            if graph.backfill(case.table, case.column).is_some_and(|b| !b.is_certain) {
                ", and over the others where that leads nowhere"
            } else {
                ""
            }
        )),
        hint: Some(format!("SELECT t.* FROM {} AS t WHERE {};", sql::from(graph, case.table), differ.join(" OR "))),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn names_both_ways() {
        let with = |columns: &str, second: bool| {
            let message = table("message").columns(columns).foreign_key("m_sender", "sender_id", "member(id)");
            schema([
                table("club").columns("id bigint not null").primary_key("id"),
                table("member")
                    .columns("id bigint not null, club_id bigint not null")
                    .primary_key("id")
                    .foreign_key("m_c", "club_id", "club(id)"),
                if second { message.foreign_key("m_reader", "reader_id", "member(id)") } else { message },
            ])
        };
        let all = "club: distributed id; member: distributed club_id; message: distributed club_id";
        let both = with("sender_id bigint not null, reader_id bigint not null", true);
        let told = of_plan(&both, all, "backfill-ambiguous");
        assert_eq!(told[0].message, "club_id of public.message can be reached over m_reader, and over m_sender");
        assert!(told[0].hint.as_deref().unwrap().contains("IS FALSE;"), "{:?}", told[0].hint);
        // A column that is never NULL is the surer way.
        let sure = with("sender_id bigint not null, reader_id bigint", true);
        assert!(of_plan(&sure, all, "backfill-ambiguous")[0].message.contains("over m_sender, and over m_reader"));
        assert!(of_plan(&with("sender_id bigint not null", false), all, "backfill-ambiguous").is_empty());
    }
}
