//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::layout::Layout;
use crate::schema::Column;

declare_rule! {
    /// ## What it is
    ///
    /// A column of type `oid` or `lo` belongs to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Such columns often point into `pg_largeobject`, and large objects exist in the database of the coordinator only.
    /// Functions on the column, evaluated on a worker, do not find them.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT lo_get(body) FROM attachment;
    /// ERROR:  large object 16444 does not exist
    /// ```
    ///
    /// ## Use instead
    ///
    /// `bytea`, or an object store outside.
    ///
    /// ## When to ignore
    ///
    /// Where the OIDs mean something else.
    ///
    /// ## Source
    ///
    /// `libpq/be-fsstubs.c (PostgreSQL)`
    code: "CA616", name: "large-object-column", level: Info, effect: Runtime,
    title: "large objects stay on the coordinator",
    remediation: "Move the contents to bytea or to an object store.",
    source: "libpq/be-fsstubs.c (PostgreSQL)",
    check: Check::Layout(walk),
}

fn is_reference_to_large_object(layout: &Layout<'_>, column: &Column) -> bool {
    let of_extension = || layout.graph.data_type(&column.data_type)?.extension.as_deref();
    column.data_type == "pg_catalog.oid" || column.data_type.ends_with(".lo") && of_extension() == Some("lo")
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| is_reference_to_large_object(layout, c)) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: format!("large objects of column {} are on the coordinator only", ident(&column.name)),
                detail: Some(format!("{}.{} is {}; what it may point to is not copied to the workers.", t.name, ident(&column.name), column.type_text)),
                hint: None,
                fix_sql: Some(format!("ALTER TABLE {} ADD COLUMN {} bytea;", t.name, ident(&format!("{}_content", column.name)))),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_oids() {
        let schema = schema([table("t").columns("a pg_catalog.oid, b bigint")]);
        assert_eq!(found(&schema, "t: reference", "large-object-column"), ["t.a"]);
        assert!(found(&schema, "", "large-object-column").is_empty());
    }
}
