//! See [`RULE`].

use super::support::ident;
use super::{Check, ColumnCase, Objection};
use super::rule::declare_rule;
use crate::graph::Graph;
use crate::schema::TypeKind;
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The distribution column is an array or composite type whose elements or fields have no hash function: `json[]`,
    /// `box[]`, `(id int, body json)`.
    ///
    /// ## Why on Citus
    ///
    /// The array itself has a hash operator class, so `create_distributed_table` accepts the empty table. The first row
    /// makes the backend call a function that is not there: a segmentation fault, and with it a restart of the whole
    /// server. The copy of existing rows does it too. It is as bad as anything in this list; it is not called blocked
    /// because Citus does not refuse.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE doc (tags json[]);
    /// SELECT create_distributed_table('doc', 'tags');   -- accepted
    /// INSERT INTO doc VALUES (ARRAY['1'::json]);
    /// server closed the connection unexpectedly
    /// ```
    ///
    /// ## Use instead
    ///
    /// Another column, or hashable elements: `jsonb[]` for `json[]`.
    ///
    /// ## When to ignore
    ///
    /// Never.
    ///
    /// ## Source
    ///
    /// `utils/distribution_column.c:BuildDistributionKeyFromColumnName`
    code: "CA205", name: "distcol-element-without-hash", level: Error, effect: Runtime,
    title: "the first row would crash the server",
    remediation: "Choose another column, or hashable elements (jsonb for json).",
    source: "utils/distribution_column.c:BuildDistributionKeyFromColumnName",
    check: Check::DistributionColumn { applies, word },
}

fn applies(layout: &Layout<'_>, case: &ColumnCase) -> bool {
    let column = layout.graph.column(case.table, case.column);
    unhashable_part(layout.graph, &column.data_type, 0).is_some()
}

/// The type inside a container type that cannot be hashed, as people write it.
fn unhashable_part<'a>(graph: &Graph<'a>, key: &'a str, depth: usize) -> Option<&'a str> {
    let t = graph.data_type(key)?;
    if !t.hash_class {
        return (depth > 0).then_some(&t.text);
    }
    let inside = matches!(t.kind, TypeKind::Array | TypeKind::Composite | TypeKind::Range | TypeKind::Multirange);
    let depth = depth + usize::from(inside);
    let parts = t.inner.iter().chain(&t.fields);
    // A type cannot contain itself but through arrays of row types; nobody nests deeper than this.
    if depth > 16 { None } else { parts.into_iter().find_map(|part| unhashable_part(graph, part, depth)) }
}

fn word(layout: &Layout<'_>, case: &ColumnCase) -> Objection {
    let (table, column) = (layout.graph.table(case.table), layout.graph.column(case.table, case.column));
    let part = unhashable_part(layout.graph, &column.data_type, 0).unwrap_or(&column.type_text);
    Objection {
        message: format!("the first row in \"{}\" would crash the server", table.name.name),
        detail: Some(format!(
            "{}.{} is of type {}. Citus accepts it, but {part} inside it has no hash function, and hashing the first row \
             ends in a segmentation fault and a restart of the server.",
            table.name,
            ident(&column.name),
            column.type_text
        )),
        hint: Some("Choose another distribution column.".to_owned()),
        fix_sql: (column.type_text == "json[]").then(|| {
            let column = ident(&column.name);
            format!("ALTER TABLE {} ALTER COLUMN {column} TYPE jsonb[] USING {column}::jsonb[];", table.name)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::TypeKind;

    #[test]
    fn looks_into_arrays_and_composites() {
        let mut schema = schema([table("t").columns("a json[], b int[], c public.pair, d json, e int")]);
        schema.types.get_mut("pg_catalog.json[]").unwrap().kind = TypeKind::Array;
        schema.types.get_mut("pg_catalog.json[]").unwrap().inner = Some("pg_catalog.json".into());
        schema.types.get_mut("pg_catalog.int[]").unwrap().kind = TypeKind::Array;
        schema.types.get_mut("pg_catalog.int[]").unwrap().inner = Some("pg_catalog.int4".into());
        let pair = schema.types.get_mut("public.pair").unwrap();
        pair.kind = TypeKind::Composite;
        pair.fields = vec!["pg_catalog.int4".into(), "pg_catalog.json[]".into()];
        for (column, expected) in [("a", true), ("b", false), ("c", true), ("d", false), ("e", false)] {
            let text = format!("t: distributed {column}");
            assert_eq!(!found(&schema, &text, "distcol-element-without-hash").is_empty(), expected, "{column}");
        }
    }
}
