//! What only the rows can tell: queries that count the rows in the way of an assignment. Whoever has a server runs them.

use crate::backfill::is_filled_over;
use crate::backfill::sql::{self, Values};
use crate::graph::{ColumnId, Edge, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_literal};
use crate::layout::Layout;
use crate::plan::{ForeignKeyFate, foreign_key_fate};
use crate::rules::{self, Effect, Finding, ForeignKeyCase, Level, ObjectType, RULES};
use crate::schema::{MatchType, TableKind};

/// One question to the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct DataCheck {
    /// What it means where there are such rows.
    pub finding: Finding,
    /// Whether Citus then refuses the table, in whatever order the steps come. A NOT VALID constraint, for instance, may
    /// leave before the copy and return after it: that stays a matter of the rows.
    pub refused: bool,
    /// The tables that it reads, with the columns, raw.
    pub reads: Vec<(RelationName, Vec<String>)>,
    /// Returns a count (bigint) and the key of one row (text). Every name in it is qualified.
    pub sql: String,
}

impl DataCheck {
    /// The finding, when there are such rows.
    pub fn confirmed(mut self) -> Finding {
        if self.refused {
            self.finding.level = Level::Error;
            self.finding.effect = Effect::Blocked;
        }
        self.finding
    }
}

/// Everything to ask under an assignment, in the order of the findings.
pub fn checks(layout: &Layout<'_>) -> Vec<DataCheck> {
    let graph = layout.graph;
    let mut checks: Vec<DataCheck> = Vec::new();
    for finding in rules::judge(layout).into_iter().filter(|f| f.effect == Effect::Data) {
        let Some(table) = graph.find(&finding.relation) else { continue };
        let edge = graph.edges.iter().find(|e| {
            e.referencing == table
                && finding.object_type == ObjectType::ForeignKey
                && graph.foreign_key(e).name == finding.object_name
        });
        match (finding.name, edge) {
            ("distcol-null-data", _) => checks.extend(null_distribution_column(layout, table, finding)),
            ("check-not-valid", _) => checks.extend(unchecked_rows(layout, table, &finding)),
            ("long-names", _) => checks.extend(rows_behind_long_name(layout, table, finding)),
            ("backfill-no-value", _) => checks.extend(no_value(layout, table, finding)),
            ("backfill-ambiguous", _) => checks.extend(ambiguous(layout, table, finding)),
            ("fk-not-valid", Some(edge)) => checks.extend(orphans(layout, edge, finding)),
            _ => {}
        }
    }
    for edge in &graph.edges {
        checks.extend(partly_null(layout, edge));
        checks.extend(paths_that_disagree(layout, edge));
    }
    checks.sort_by(|a, b| a.finding.sort_key().cmp(&b.finding.sort_key()));
    checks
}

fn from(layout: &Layout<'_>, table: TableId) -> String {
    sql::from(layout.graph, table)
}

/// The value of a column: of one that the table is to be given, what it would be.
fn column(layout: &Layout<'_>, alias: &str, table: TableId, column: ColumnId) -> String {
    Values::by_path(layout.graph).of(alias, table, column)
}

/// Columns that name a row: the primary key, or another key without NULLs.
fn key(layout: &Layout<'_>, table: TableId) -> Vec<ColumnId> {
    let t = layout.graph.table(table);
    let columns = |index: &crate::schema::Index| -> Option<Vec<ColumnId>> {
        let keys = index.columns.iter().filter(|c| c.key);
        let found = keys.map(|c| layout.graph.find_column(table, c.column.as_deref()?));
        found.collect::<Option<Vec<_>>>().filter(|c| c.iter().all(|&c| t.columns[c].not_null))
    };
    let mut unique: Vec<_> = t.indexes.iter().filter(|i| i.unique && i.valid && i.predicate.is_none()).collect();
    unique.sort_by_key(|i| i.constraint.as_ref().is_none_or(|c| c.kind != crate::schema::ConstraintKind::PrimaryKey));
    unique.into_iter().find_map(columns).unwrap_or_default()
}

/// The question how many rows `t` there are, and for the first of their keys in the order of bytes.
fn question(
    layout: &Layout<'_>,
    finding: Finding,
    table: TableId,
    condition: &str,
    others: Vec<(TableId, Vec<ColumnId>)>,
    columns: &[ColumnId],
) -> DataCheck {
    let graph = layout.graph;
    let key = key(layout, table);
    let example = if key.is_empty() {
        "'ctid ', t.tableoid::pg_catalog.regclass, ' ', t.ctid".to_owned()
    } else {
        let names: Vec<String> = key.iter().map(|&c| quote_identifier(&graph.column(table, c).name)).collect();
        let values: Vec<String> = key.iter().map(|&c| column(layout, "t", table, c)).collect();
        let before = quote_literal(&format!("({})=(", names.join(", ")));
        format!("{before}, {}, ')'", values.join(", ', ', "))
    };
    let sql = format!(
        "SELECT pg_catalog.count(*), pg_catalog.min(pg_catalog.concat({example}) COLLATE pg_catalog.\"C\") FROM {} AS t WHERE {condition}",
        from(layout, table)
    );
    let own: Vec<ColumnId> = key.iter().chain(columns).copied().collect();
    let mut reads: Vec<(RelationName, Vec<String>)> = Vec::new();
    let values = Values::by_path(graph);
    let read = std::iter::once((table, own)).chain(others).flat_map(|(table, columns)| {
        let (there, added): (Vec<ColumnId>, Vec<ColumnId>) =
            columns.into_iter().partition(|&c| graph.backfill(table, c).is_none());
        let added: Vec<_> = added.into_iter().flat_map(|c| values.reads(table, c)).collect();
        std::iter::once((table, there)).chain(added)
    });
    for (table, columns) in read {
        let t = graph.table(table);
        let names = columns.iter().map(|&c| t.columns[c].name.clone()).collect();
        reads.push((t.name.clone(), names));
    }
    DataCheck { finding, refused: false, reads, sql }
}

fn null_distribution_column(layout: &Layout<'_>, table: TableId, finding: Finding) -> Option<DataCheck> {
    let id = layout.graph.find_column(table, &finding.object_name)?;
    let condition = format!("{} IS NULL", column(layout, "t", table, id));
    Some(DataCheck { refused: true, ..question(layout, finding, table, &condition, Vec::new(), &[id]) })
}

/// Rows that no path leads from.
fn no_value(layout: &Layout<'_>, table: TableId, finding: Finding) -> Option<DataCheck> {
    let id = layout.placement(table).distribution_column()?;
    let condition = format!("{} IS NULL", column(layout, "t", table, id));
    Some(DataCheck { refused: true, ..question(layout, finding, table, &condition, Vec::new(), &[id]) })
}

/// Rows whose value depends on the path.
fn ambiguous(layout: &Layout<'_>, table: TableId, finding: Finding) -> Option<DataCheck> {
    let id = layout.placement(table).distribution_column()?;
    let backfill = layout.graph.backfill(table, id)?;
    let values = Values::by_path(layout.graph);
    let conditions: Vec<String> =
        backfill.rivals().iter().filter_map(|rival| values.disagrees("t", backfill, rival)).collect();
    Some(question(layout, finding, table, &format!("({})", conditions.join(" OR ")), Vec::new(), &[id]))
}

/// A question for each check constraint of the table, or of a partition of it, that was never validated.
fn unchecked_rows(layout: &Layout<'_>, table: TableId, finding: &Finding) -> Vec<DataCheck> {
    let graph = layout.graph;
    let mut found = Vec::new();
    for member in std::iter::once(table).chain(graph.descendants(table)) {
        let t = graph.table(member);
        for check in t.checks.iter().filter(|c| !c.validated && !c.inherited) {
            let Some(expression) = check.definition.strip_prefix("CHECK ") else { continue };
            let expression = expression.trim_end_matches(" NOT VALID").trim_end_matches(" NO INHERIT");
            let mut finding = finding.clone();
            finding.message =
                format!("new row for relation \"{}\" violates check constraint \"{}\"", t.name.name, check.name);
            // Which columns it reads nobody knows but PostgreSQL: all of them.
            let all: Vec<ColumnId> = (0..t.columns.len()).collect();
            found.push(question(layout, finding, member, &format!("NOT {expression}"), Vec::new(), &all));
        }
    }
    found
}

/// Rows anywhere in the table: it need not be the partition with the long name that has them.
fn rows_behind_long_name(layout: &Layout<'_>, table: TableId, finding: Finding) -> Option<DataCheck> {
    rules::long_name(layout, table)?;
    let any: Vec<ColumnId> = if layout.graph.table(table).columns.is_empty() { Vec::new() } else { vec![0] };
    // An ordinary table sometimes gets through.
    let refused = layout.graph.table(table).kind == TableKind::Partitioned;
    Some(DataCheck { refused, ..question(layout, finding, table, "true", Vec::new(), &any) })
}

/// `t.a = r.b AND ...` for the columns of a foreign key.
fn matches(layout: &Layout<'_>, edge: &Edge, pairs: &[(ColumnId, ColumnId)]) -> Option<String> {
    let (from, to) = (edge.referencing, edge.referenced);
    let pair = |&(a, b): &(ColumnId, ColumnId)| {
        let operator = sql::equality(layout.graph, (from, a), (to, b))?;
        Some(format!("{} {operator} {}", column(layout, "t", from, a), column(layout, "r", to, b)))
    };
    Some(pairs.iter().map(pair).collect::<Option<Vec<_>>>()?.join(" AND "))
}

fn orphans(layout: &Layout<'_>, edge: &Edge, finding: Finding) -> Option<DataCheck> {
    let from_columns: Vec<ColumnId> = edge.columns.iter().map(|c| c.0).collect();
    let filled: Vec<String> =
        from_columns.iter().map(|&c| format!("{} IS NOT NULL", column(layout, "t", edge.referencing, c))).collect();
    let condition = format!(
        "{} AND NOT EXISTS (SELECT FROM {} AS r WHERE {})",
        filled.join(" AND "),
        from(layout, edge.referenced),
        matches(layout, edge, &edge.columns)?
    );
    let referenced = (edge.referenced, edge.columns.iter().map(|c| c.1).collect());
    let mut finding = finding;
    let name = &layout.graph.table(edge.referencing).name.name;
    finding.message =
        format!("insert or update on table \"{name}\" violates foreign key constraint \"{}\"", finding.object_name);
    Some(question(layout, finding, edge.referencing, &condition, vec![referenced], &from_columns))
}

/// Columns of the foreign key as the script makes it again.
fn final_columns(layout: &Layout<'_>, edge: &Edge) -> Option<Vec<(ColumnId, ColumnId)>> {
    match foreign_key_fate(layout, edge).0 {
        ForeignKeyFate::Kept => Some(edge.columns.clone()),
        ForeignKeyFate::Widened { columns, .. } => Some(columns),
        ForeignKeyFate::Lost { .. } => None,
    }
}

fn partly_null(layout: &Layout<'_>, edge: &Edge) -> Option<DataCheck> {
    let foreign_key = layout.graph.foreign_key(edge);
    let mut case = ForeignKeyCase::declared(layout, edge);
    case.columns = final_columns(layout, edge)?;
    let nullable = |&(c, _): &(ColumnId, ColumnId)| !layout.graph.column(edge.referencing, c).not_null;
    let concerned = foreign_key.match_type == MatchType::Full
        && case.columns.len() > 1
        && case.has_distribution_column(layout)
        && case.columns.iter().any(nullable);
    let rule = RULES.iter().find(|r| r.name == "fk-match-full").filter(|_| concerned)?;
    let columns: Vec<ColumnId> = case.columns.iter().map(|c| c.0).collect();
    let names: Vec<String> = columns.iter().map(|&c| column(layout, "t", edge.referencing, c)).collect();
    let condition = format!("pg_catalog.num_nulls({}) BETWEEN 1 AND {}", names.join(", "), names.len() - 1);
    let finding = rule.find_foreign_key(layout, &case)?;
    Some(question(layout, finding, edge.referencing, &condition, Vec::new(), &columns))
}

/// Rows whose distribution column has another value than that of the row they reference: the widened key finds no match.
fn paths_that_disagree(layout: &Layout<'_>, edge: &Edge) -> Option<DataCheck> {
    let columns = final_columns(layout, edge).filter(|c| !is_filled_over(layout.graph, edge, c))?;
    let added: Vec<(ColumnId, ColumnId)> = columns.iter().filter(|c| !edge.columns.contains(c)).copied().collect();
    let &(from_column, to_column) = added.first()?;
    let declared = ForeignKeyCase::declared(layout, edge);
    let rule = rules::objection_to_foreign_key(layout, &declared)?;
    let graph = layout.graph;
    let (table, referenced) = (graph.table(edge.referencing), graph.table(edge.referenced));
    let (own, other) =
        (&graph.column(edge.referencing, from_column).name, &graph.column(edge.referenced, to_column).name);
    let mut finding = rule.find_foreign_key(layout, &declared)?;
    finding.level = Level::Error;
    finding.effect = Effect::Data;
    finding.message = format!(
        "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
        table.name.name, finding.object_name
    );
    finding.detail = Some(format!(
        "The foreign key is made again with {} in front. These rows of {} have another {} than the row of {} that they \
         reference has {}.",
        quote_identifier(own),
        table.name,
        quote_identifier(own),
        referenced.name,
        quote_identifier(other)
    ));
    finding.hint = Some("Correct the rows, or the foreign key cannot be made again.".to_owned());
    finding.fix_sql = None;
    let condition = format!(
        "{} IS NOT NULL AND EXISTS (SELECT FROM {} AS r WHERE {} AND ({}) IS NOT TRUE)",
        column(layout, "t", edge.referencing, from_column),
        from(layout, edge.referenced),
        matches(layout, edge, &edge.columns)?,
        matches(layout, edge, &added)?
    );
    let from_columns: Vec<ColumnId> = columns.iter().map(|c| c.0).collect();
    let to = (edge.referenced, columns.iter().map(|c| c.1).collect());
    Some(question(layout, finding, edge.referencing, &condition, vec![to], &from_columns))
}
