//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::schema::TypeKind;

declare_rule! {
    /// ## What it is
    ///
    /// A column of a composite type belongs to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Citus rewrites INSERT and UPDATE for the shards and does not handle fields of a column.
    ///
    /// ## Example
    ///
    /// ```sql
    /// UPDATE product SET price.currency = 'EUR' WHERE id = 1;
    /// ERROR:  inserting or modifying composite type fields is not supported
    /// ```
    ///
    /// ## Use instead
    ///
    /// Write the column as a whole: `SET price = ROW(5, 'EUR')`.
    ///
    /// ## When to ignore
    ///
    /// Where the application does so anyway.
    ///
    /// ## Source
    ///
    /// `planner/multi_router_planner.c:ModifyPartialQuerySupported`
    code: "CA617", name: "composite-column-write", level: Info, effect: Runtime,
    title: "single fields of a composite column cannot be written",
    remediation: "Write the composite value as a whole.",
    source: "planner/multi_router_planner.c:ModifyPartialQuerySupported",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| layout.graph.base_type(&c.data_type).is_some_and(|t| t.kind == TypeKind::Composite)) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: "inserting or modifying composite type fields is not supported".to_owned(),
                detail: Some(format!("{}.{} is of the composite type {}.", t.name, ident(&column.name), column.type_text)),
                hint: Some("Use the column name to insert or update the composite type as a single value.".to_owned()),
                fix_sql: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::TypeKind;

    #[test]
    fn tells_of_composites() {
        let mut schema = schema([table("t").columns("a public.pair, b bigint")]);
        schema.types.get_mut("public.pair").unwrap().kind = TypeKind::Composite;
        assert_eq!(found(&schema, "t: distributed b", "composite-column-write"), ["t.a"]);
        assert!(found(&schema, "", "composite-column-write").is_empty());
    }
}
