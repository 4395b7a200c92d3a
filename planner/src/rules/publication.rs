//! See [`RULE`].

use super::support::{enumerate, ident};
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::schema::Publication;

declare_rule! {
    /// ## What it is
    ///
    /// A table that becomes distributed is in a publication, by name, by its schema, or because the publication is FOR
    /// ALL TABLES.
    ///
    /// ## Why on Citus
    ///
    /// Rows are written to shards on the workers; what subscribers of the coordinator receive is the change of the
    /// empty shell. Citus has change data capture of its own: one subscription for each node.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE PUBLICATION feed FOR TABLE orders;
    /// SELECT create_distributed_table('orders', 'shop_id');   -- subscribers receive no rows any more
    /// ```
    ///
    /// ## Use instead
    ///
    /// `citus.enable_change_data_capture` on all nodes, and a subscription to each.
    ///
    /// ## When to ignore
    ///
    /// Where the publication is not used any more.
    ///
    /// ## Source
    ///
    /// `cdc/cdc_decoder.c`
    code: "CA704", name: "publication", level: Warning, effect: Silent,
    title: "the publication does not carry the rows of shards",
    remediation: "Use citus.enable_change_data_capture and subscribe to every node.",
    source: "cdc/cdc_decoder.c",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        let covers = |p: &&Publication| p.all_tables || p.tables.contains(&t.name);
        let names: Vec<String> =
            layout.graph.schema.publications.iter().filter(covers).map(|p| ident(&p.name)).collect();
        if names.is_empty() {
            continue;
        }
        report(&t.name, ObjectType::Table, &t.name.name, Objection {
            message: format!("changes of {} are not published as before", t.name),
            detail: Some(format!("It is in {}; rows are then written on the workers.", enumerate(&names))),
            hint: Some("Subscribers need one subscription for each node, with citus.enable_change_data_capture.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Publication;

    #[test]
    fn tells_of_publications() {
        let mut schema = schema([table("t").columns("id bigint")]);
        schema.publications.push(Publication { name: "p".into(), all_tables: true, tables: Vec::new() });
        assert_eq!(found(&schema, "t: distributed id", "publication"), ["t"]);
        assert!(found(&schema, "", "publication").is_empty());
    }
}
