//! What many rules need to say: statements ready to paste, the overrides that would keep an object, sizes in words.

use std::collections::BTreeSet;

use crate::assignment::{Entry, Role};
use crate::graph::{ColumnId, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_identifiers, quote_literal};
use crate::layout::{Layout, Target};
pub use crate::report::number::{size, thousands};
use crate::schema::{Column, ConstraintKind, Index, IndexColumn, MatchType, ReferentialAction, Table};

use super::rule::ForeignKeyCase;

/// Name of the table, as `get_rel_name` gives it to Citus' messages.
pub fn bare<'a>(layout: &Layout<'a>, table: TableId) -> &'a str {
    &layout.graph.table(table).name.name
}

pub fn name<'a>(layout: &Layout<'a>, table: TableId) -> &'a RelationName {
    &layout.graph.table(table).name
}

/// The distribution column of a distributed table.
pub fn distribution_column<'a>(layout: &Layout<'a>, table: TableId) -> Option<&'a Column> {
    layout.placement(table).distribution_column().map(|c| layout.graph.column(table, c))
}

/// A name as prose shows it: `user_id`, `"Größe"`.
pub fn ident(raw: &str) -> String {
    quote_identifier(raw)
}

pub fn drop_constraint(table: &RelationName, constraint: &str) -> String {
    format!("ALTER TABLE {table} DROP CONSTRAINT {};", quote_identifier(constraint))
}

pub fn drop_index(table: &RelationName, index: &str) -> String {
    format!("DROP INDEX {};", RelationName::new(&table.schema, index))
}

/// Widens a column's type; `None` where a view or rule uses the table, which PostgreSQL then refuses.
pub fn widen_type(layout: &Layout<'_>, table: TableId, column: &str, type_text: &str) -> Option<String> {
    let t = layout.graph.table(table);
    let read = layout.graph.schema.views.iter().any(|v| v.reads.contains(&t.name));
    (!read && t.rules.is_empty()).then(|| set_type(&t.name, column, type_text))
}

/// These views and all that read them, each before those that it reads: the order in which they can be dropped.
pub fn with_readers(layout: &Layout<'_>, seeds: Vec<usize>) -> Vec<usize> {
    let views = &layout.graph.schema.views;
    let mut found = seeds;
    let mut next = 0;
    while let Some(&base) = found.get(next) {
        next += 1;
        // Found again behind what has just been found, which it reads.
        let over: Vec<usize> =
            (0..views.len()).filter(|&v| v != base && views[v].reads.contains(&views[base].name)).collect();
        found.extend(over);
        if found.len() > views.len() * views.len() {
            break;
        }
    }
    let mut seen = BTreeSet::new();
    found.reverse();
    found.retain(|v| seen.insert(*v));
    found
}

pub fn set_type(table: &RelationName, column: &str, type_text: &str) -> String {
    let column = quote_identifier(column);
    format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_text};")
}

/// What a layout names beyond which a call no longer repeats it.
const MOST_REPEATED: usize = 20;

/// The call that plans with this role for one table, and with all else that the user insisted on.
pub fn override_call(layout: &Layout<'_>, table: TableId, role: Role, column: Option<&str>) -> String {
    let relation = |table: TableId| layout.graph.table(table).name.to_string();
    let mut entries: Vec<(String, Entry)> = Vec::new();
    for named in layout.named.iter().filter(|_| layout.named.len() <= MOST_REPEATED) {
        match named.target {
            Target::Table(other) if other != table => entries.push((relation(other), named.entry.clone())),
            _ => {}
        }
    }
    entries.push((relation(table), Entry { role, column: column.map(str::to_owned), group: None }));
    plan_with(&entries)
}

/// `plan_distribution` with these overrides, in their order, safe against any name.
fn plan_with(entries: &[(String, Entry)]) -> String {
    let text = |s: &str| serde_json::Value::from(s).to_string();
    let part = |key: &str, value: &Option<String>| {
        value.as_ref().map(|v| format!(", \"{key}\": {}", text(v))).unwrap_or_default()
    };
    let entries: Vec<String> = entries
        .iter()
        .map(|(relation, e)| {
            let (column, group) = (part("column", &e.column), part("group", &e.group));
            format!("{}: {{\"role\": {}{column}{group}}}", text(relation), text(e.role.as_str()))
        })
        .collect();
    let json = format!("{{{}}}", entries.join(", "));
    format!("SELECT advisor.plan_distribution(overrides => {});", quote_literal(&json))
}

/// How the planner would be told to make a table a reference table; nothing for a partitioned one, which cannot be.
pub fn keep_as_reference(layout: &Layout<'_>, table: TableId) -> Option<String> {
    let t = layout.graph.table(table);
    (t.kind == crate::schema::TableKind::Ordinary && t.inherits.is_empty()).then(|| {
        format!(
            "Kept if {} becomes a reference table{}: {}",
            t.name,
            size_on_each_node(layout, table),
            override_call(layout, table, Role::Reference, None)
        )
    })
}

fn size_on_each_node(layout: &Layout<'_>, table: TableId) -> String {
    match layout.graph.bytes(table) {
        Some(bytes) => format!(" (+{} on each node)", size(bytes)),
        None => String::new(),
    }
}

pub fn actions(on_delete: ReferentialAction, on_delete_columns: &[String], on_update: ReferentialAction) -> String {
    let word = |action| match action {
        ReferentialAction::NoAction => None,
        ReferentialAction::Restrict => Some("RESTRICT"),
        ReferentialAction::Cascade => Some("CASCADE"),
        ReferentialAction::SetNull => Some("SET NULL"),
        ReferentialAction::SetDefault => Some("SET DEFAULT"),
    };
    let mut text = String::new();
    if let Some(action) = word(on_update) {
        text.push_str(&format!(" ON UPDATE {action}"));
    }
    if let Some(action) = word(on_delete) {
        text.push_str(&format!(" ON DELETE {action}"));
        if !on_delete_columns.is_empty() && action.starts_with("SET") {
            text.push_str(&format!(" ({})", quote_identifiers(on_delete_columns.iter().map(String::as_str))));
        }
    }
    text
}

/// What to say where no single statement can do it.
pub const LEFT_TO_THE_SCRIPT: &str =
    "The script, plan_distribution(format => 'sql'), changes keys and foreign keys in the order that works.";

/// One statement that drops a foreign key and makes it again with these columns and actions: if the second half fails,
/// the first is undone. `None` where the referenced table has no key on these columns yet.
pub fn rebuild_foreign_key(
    layout: &Layout<'_>,
    case: &ForeignKeyCase<'_>,
    columns: &[(ColumnId, ColumnId)],
    on_delete: ReferentialAction,
    on_update: ReferentialAction,
) -> Option<String> {
    let graph = layout.graph;
    let key = case.foreign_key;
    // A column that is still to be added is in no statement that can be run now.
    let is_added = |&(f, t): &(ColumnId, ColumnId)| {
        graph.backfill(case.edge.referencing, f).is_some() || graph.backfill(case.edge.referenced, t).is_some()
    };
    if columns.iter().any(is_added) || !has_key_on(graph.table(case.edge.referenced), columns.iter().map(|c| c.1)) {
        return None;
    }
    let (table, referenced) = (name(layout, case.edge.referencing), name(layout, case.edge.referenced));
    let from = columns.iter().map(|&(c, _)| graph.column(case.edge.referencing, c).name.as_str());
    let to = columns.iter().map(|&(_, c)| graph.column(case.edge.referenced, c).name.as_str());
    let full = if key.match_type == MatchType::Full { " MATCH FULL" } else { "" };
    let deferrable = match (key.deferrable, key.initially_deferred) {
        (true, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        _ => "",
    };
    let on_delete_columns = if on_delete == key.on_delete { key.on_delete_columns.as_slice() } else { &[] };
    Some(format!(
        "ALTER TABLE {table} DROP CONSTRAINT {constraint}, ADD CONSTRAINT {constraint} FOREIGN KEY \
         ({}) REFERENCES {referenced} ({}){full}{}{deferrable}{};",
        quote_identifiers(from),
        quote_identifiers(to),
        actions(on_delete, on_delete_columns, on_update),
        if key.validated { "" } else { " NOT VALID" },
        constraint = quote_identifier(&key.name),
    ))
}

/// Whether PostgreSQL would let a foreign key reference these columns.
fn has_key_on(table: &Table, columns: impl Iterator<Item = ColumnId>) -> bool {
    let mut wanted: Vec<&str> = columns.map(|c| table.columns[c].name.as_str()).collect();
    wanted.sort_unstable();
    table.indexes.iter().any(|index| {
        let keys = index.columns.iter().filter(|c| c.key);
        let mut have: Vec<&str> = keys.map(|c| c.column.as_deref().unwrap_or_default()).collect();
        have.sort_unstable();
        let immediate = index.constraint.as_ref().is_none_or(|c| !c.deferrable);
        index.unique && index.valid && immediate && index.predicate.is_none() && have == wanted
    })
}

/// A statement that makes a key again with the distribution column in front, or leaves it as it was. `None` where foreign
/// keys rest on it.
pub fn widen_key(layout: &Layout<'_>, table: TableId, index: &Index) -> Option<String> {
    if !resting_on(layout, table, index).is_empty() {
        return None;
    }
    let column = distribution_column(layout, table)?;
    let name = name(layout, table);
    // `None`: it is still to be added.
    layout.graph.find_column(table, &column.name)?;
    let keys = index.columns.iter().filter(|c| c.key);
    let others = keys.filter(|c| c.column.as_deref() != Some(&column.name));
    let exclusion = index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::Exclusion);
    let mut elements = vec![ident(&column.name) + if exclusion { " WITH =" } else { "" }];
    elements.extend(others.map(|c| match &c.exclusion_operator {
        Some(operator) if exclusion => format!("{} WITH {}", element(c), operator_text(operator)),
        _ => element(c),
    }));
    let elements = elements.join(", ");
    let included: Vec<&str> = index.columns.iter().filter(|c| !c.key).filter_map(|c| c.column.as_deref()).collect();
    let included: Vec<&str> = included.into_iter().filter(|c| *c != column.name).collect();
    let include = match included.is_empty() {
        true => String::new(),
        false => format!(" INCLUDE ({})", quote_identifiers(included)),
    };
    let nulls = if index.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
    let predicate = index.predicate.as_ref().map(|p| format!(" WHERE {p}")).unwrap_or_default();
    let Some(constraint) = &index.constraint else {
        return Some(format!(
            "BEGIN;\n{}\nCREATE UNIQUE INDEX {} ON {name} USING {} ({elements}){include}{nulls}{predicate};\nCOMMIT;",
            drop_index(name, &index.name),
            ident(&index.name),
            index.method
        ));
    };
    let what = match constraint.kind {
        ConstraintKind::PrimaryKey => format!("PRIMARY KEY ({elements}){include}"),
        ConstraintKind::Unique => format!("UNIQUE{nulls} ({elements}){include}"),
        ConstraintKind::Exclusion => {
            let predicate = index.predicate.as_ref().map(|p| format!(" WHERE ({p})")).unwrap_or_default();
            format!("EXCLUDE USING {} ({elements}){include}{predicate}", index.method)
        }
    };
    let deferrable = match (constraint.deferrable, constraint.initially_deferred) {
        (true, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        _ => "",
    };
    let constraint = ident(&constraint.name);
    Some(format!("ALTER TABLE {name} DROP CONSTRAINT {constraint}, ADD CONSTRAINT {constraint} {what}{deferrable};"))
}

fn element(column: &IndexColumn) -> String {
    let mut text = match &column.column {
        Some(name) => ident(name),
        None if column.text.starts_with('(') => column.text.clone(),
        None => format!("({})", column.text),
    };
    if let Some(collation) = &column.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(class) = &column.operator_class {
        text.push_str(&format!(" {class}"));
    }
    text
}

/// `pg_catalog.&&` as SQL takes it.
fn operator_text(operator: &str) -> String {
    match operator.strip_prefix("pg_catalog.") {
        Some(bare) => bare.to_owned(),
        None => format!("OPERATOR({operator})"),
    }
}

/// Foreign keys that rest on the key, as `table.constraint`.
pub fn resting_on(layout: &Layout<'_>, table: TableId, index: &Index) -> Vec<String> {
    let graph = layout.graph;
    let keys = index.columns.iter().filter(|c| c.key);
    let mut wanted: Vec<&str> = keys.filter_map(|c| c.column.as_deref()).collect();
    wanted.sort_unstable();
    let rests = |key: &crate::schema::ForeignKey| {
        let mut columns: Vec<&str> = key.referenced_columns.iter().map(String::as_str).collect();
        columns.sort_unstable();
        columns == wanted
    };
    let incoming = graph.incoming(table).filter(|e| rests(graph.foreign_key(e)));
    incoming.map(|e| format!("{}.{}", name(layout, e.referencing), ident(&graph.foreign_key(e).name))).collect()
}

/// Whether values of a column come from a generator, so that they stay unique without a constraint.
pub fn generator(column: &Column) -> Option<&'static str> {
    let default = column.default.as_deref().unwrap_or("");
    if column.identity.is_some() {
        Some("an identity")
    } else if default.contains("nextval(") {
        Some("a sequence")
    } else if default.contains("uuid") {
        Some("a generator of UUIDs")
    } else {
        None
    }
}

/// Columns in prose: `order_id` or `(order_id, line)`.
pub fn column_list<'c>(columns: impl IntoIterator<Item = &'c str>) -> String {
    let columns: Vec<_> = columns.into_iter().map(quote_identifier).collect();
    if columns.len() == 1 { columns[0].clone() } else { format!("({})", columns.join(", ")) }
}

/// `a`, `a and b`, `a, b and c`; of many only the first few.
pub fn enumerate(items: &[String]) -> String {
    const SHOWN: usize = 4;
    match items {
        [] => String::new(),
        [one] => one.clone(),
        _ if items.len() > SHOWN => {
            format!("{} and {} more", items[..SHOWN - 1].join(", "), items.len() - (SHOWN - 1))
        }
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(table: &RelationName, role: Role, column: Option<&str>) -> String {
        plan_with(&[(table.to_string(), Entry { role, column: column.map(str::to_owned), group: None })])
    }

    #[test]
    fn writes_overrides_that_survive_hostile_names() {
        let table = RelationName::new("App Data", "it's \"odd\"\\");
        assert_eq!(
            call(&table, Role::Distributed, Some("Tenant\"'Id")),
            "SELECT advisor.plan_distribution(overrides => \
             E'{\"\\\\\"App Data\\\\\".\\\\\"it''s \\\\\"\\\\\"odd\\\\\"\\\\\"\\\\\\\\\\\\\"\": \
             {\"role\": \"distributed\", \"column\": \"Tenant\\\\\"''Id\"}}');"
        );
        assert_eq!(
            call(&RelationName::new("public", "payment_merchants"), Role::Reference, None),
            "SELECT advisor.plan_distribution(overrides => '{\"public.payment_merchants\": {\"role\": \"reference\"}}');"
        );
    }

    #[test]
    fn writes_numbers_and_sizes_as_postgresql_does() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(-12), "-12");
        assert_eq!(size(8192), "8192 bytes");
        assert_eq!(size(16384), "16 kB");
        assert_eq!(size(12 * 1024 * 1024), "12 MB");
        assert_eq!(size(10 * 1024 * 1024 * 1024), "10 GB");
    }

    #[test]
    fn enumerates() {
        let items: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
        assert_eq!(enumerate(&items[..3]), "a, b and c");
        assert_eq!(enumerate(&items), "a, b, c and 2 more");
    }
}
