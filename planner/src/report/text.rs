//! The report for a person at psql, read like EXPLAIN: the decision, why, what is lost, what to fix, what to run.

use std::collections::{BTreeMap, BTreeSet};

use super::number::{count, size, thousands};
use crate::Request;
use crate::assignment::{Assignment, Entry, Role};
use crate::backfill;
use crate::graph::{Graph, TableId};
use crate::identifier::{quote_identifier, quote_identifiers, quote_literal};
use crate::layout::Placement;
use crate::plan::{ForeignKeyFate, KeyFate, Plan, PlannedTable, SearchOutcome};
use crate::rules::{Effect, Finding, Level, ObjectType};
use crate::schema::{RelationName, TableKind};
use crate::search::cost::{Cost, POINT};

/// Columns that the report keeps to.
const WIDTH: usize = 120;

/// Tables of one group that are listed before the rest is summed up.
const TABLES_SHOWN: usize = 20;

/// Tables whose role is explained; `plan_tables` explains all.
const REASONS_SHOWN: usize = 12;

/// Objects of one rule that are listed before the rest is counted.
const OBJECTS_SHOWN: usize = 3;

/// Schemas of tenants that are named, and statements that are listed for them.
const SCHEMAS_SHOWN: usize = 4;
const STATEMENTS_SHOWN: usize = 12;

/// Losses that are listed one by one.
const LOSSES_SHOWN: usize = 15;

/// Changed keys that are listed one by one.
const CHANGES_SHOWN: usize = 12;

/// Terms of the price that are named.
const TERMS_SHOWN: usize = 3;

pub fn render(plan: &Plan<'_>) -> Vec<String> {
    let graph = plan.graph();
    let lost_foreign_keys = plan.foreign_keys.iter().filter_map(|f| {
        let ForeignKeyFate::Lost { code } = f.fate else { return None };
        let edge = &graph.edges[f.edge];
        Some(((&graph.table(edge.referencing).name, graph.foreign_key(edge).name.as_str()), code))
    });
    let changed_keys = plan.keys.iter().filter(|k| k.fate != KeyFate::Kept).map(|k| {
        let table = graph.table(k.table);
        (&table.name, table.indexes[k.index].name.as_str())
    });
    let mut report = Report {
        plan,
        graph,
        lines: Vec::new(),
        issues: 0,
        lost_foreign_keys: lost_foreign_keys.collect(),
        changed_keys: changed_keys.collect(),
    };
    report.heading();
    if plan.tables.is_empty() {
        report.line("There is no table to plan.");
        report.not_seen();
        return report.lines;
    }
    report.verdict();
    report.tenant_schemas();
    report.tables();
    report.reasons();
    report.losses();
    report.changes();
    report.issues();
    report.not_seen();
    report.next();
    report.lines
}

struct Report<'p, 'a> {
    plan: &'p Plan<'a>,
    graph: &'a Graph<'a>,
    lines: Vec<String>,
    /// Issues numbered so far.
    issues: usize,
    /// The codes by which foreign keys are lost, by relation and name.
    lost_foreign_keys: BTreeMap<(&'a RelationName, &'a str), &'static str>,
    /// Keys that do not stay as they are, by relation and name.
    changed_keys: BTreeSet<(&'a RelationName, &'a str)>,
}

impl Report<'_, '_> {
    fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }

    /// A heading with an empty line before it.
    fn section(&mut self, heading: &str) {
        self.line("");
        self.line(heading);
    }

    /// Text broken at spaces to the report's width, `indent` before each line, two more before continuations.
    fn wrapped(&mut self, indent: usize, text: &str) {
        let mut line = " ".repeat(indent);
        let mut empty = true;
        for word in text.split(' ') {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.lines.push(std::mem::take(&mut line));
                line = " ".repeat(indent + 2);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.lines.push(line);
    }

    /// SQL to paste: every line kept whole, however long.
    fn sql(&mut self, indent: usize, statements: &str) {
        for line in statements.lines() {
            self.line(format!("{}{line}", " ".repeat(indent)));
        }
    }

    fn heading(&mut self) {
        let tables = &self.plan.tables;
        let partitioned = tables.iter().filter(|t| self.graph.table(t.table).kind == TableKind::Partitioned).count();
        let mut heading = format!(
            "Distribution plan for database {}: {}",
            quote_identifier(&self.graph.schema.database),
            count(tables.len(), "table")
        );
        if partitioned > 0 {
            heading += &format!(" ({} partitioned)", thousands(partitioned as i64));
        }
        heading += &format!(", {}", count(self.plan.foreign_keys.len(), "foreign key"));
        let known: Vec<i64> = tables.iter().filter_map(|t| t.bytes).collect();
        match known.len() {
            0 => {}
            n if n < tables.len() => {
                heading += &format!(", {} and tables of unknown size", size(known.iter().sum()));
            }
            _ => heading += &format!(", {}", size(known.iter().sum())),
        }
        self.wrapped(0, &heading);
        if self.graph.schema.citus_target.is_some() {
            self.line(format!("Planned for Citus {} (citus_advisor.citus_version).", self.graph.citus));
        }
        if let Some(caution) = self.graph.citus.caution() {
            self.wrapped(0, &caution);
        }
    }

    fn verdict(&mut self) {
        let mut words: Vec<String> = Vec::new();
        if let Some(search) = &self.plan.search {
            words.push(how_sure(search));
        }
        let fates: Vec<&ForeignKeyFate> = self.plan.foreign_keys.iter().map(|f| &f.fate).collect();
        let lost = fates.iter().filter(|f| matches!(f, ForeignKeyFate::Lost { .. })).count();
        let widened = fates.iter().filter(|f| matches!(f, ForeignKeyFate::Widened { .. })).count();
        let keys: Vec<KeyFate> = self.plan.keys.iter().map(|k| k.fate).collect();
        let keys_lost = keys.iter().filter(|k| matches!(k, KeyFate::Lost { .. })).count();
        let keys_widened = keys.iter().filter(|k| matches!(k, KeyFate::Widened { .. })).count();
        let mut kept = Vec::new();
        if !fates.is_empty() {
            kept.push(tally(fates.len(), lost, widened, "foreign key"));
        }
        if !keys.is_empty() {
            kept.push(tally(keys.len(), keys_lost, keys_widened, "key"));
        }
        if !kept.is_empty() {
            words.push(format!("Keeps {}.", kept.join("; keeps ")));
        }
        let objects = self.plan.lost_objects.len();
        if objects > 0 {
            let triggers = self.plan.lost_objects.iter().filter(|o| o.kind == ObjectType::Trigger).count();
            let dropped = [(triggers, "trigger"), (objects - triggers, "policy")];
            let dropped: Vec<String> = dropped.iter().filter(|d| d.0 > 0).map(|d| count(d.0, d.1)).collect();
            words.push(format!("Drops {}.", dropped.join(" and ")));
        }
        if !self.plan.backfills.is_empty() {
            let unknown = self.plan.backfills.iter().any(|b| b.bytes.is_none());
            let bytes = match (self.plan.bytes_backfilled(), unknown) {
                (0, true) => String::new(),
                (bytes, true) => format!(" ({} and more written once)", size(bytes)),
                (bytes, false) => format!(" ({} written once)", size(bytes)),
            };
            let tables = self.plan.backfills.len();
            words.push(format!("Adds the distribution column to {} and fills it{bytes}.", count(tables, "table")));
        }
        match self.to_fix().len() {
            0 => words.push("Nothing to check or fix first.".to_owned()),
            n => words.push(format!("{} to check or fix first.", count(n, "thing"))),
        }
        self.wrapped(0, &words.join(" "));
        let Some(search) = &self.plan.search else { return };
        self.cost(search);
        if search.sizes_guessed {
            self.wrapped(
                0,
                if self.plan.tables.iter().any(|t| t.rows.unwrap_or(0) > 0) {
                    "Most tables are empty: sizes are guessed from the structure, and the choice rests on it. With data, run \
                     ANALYZE and plan again."
                } else {
                    "No rows and no statistics: sizes are guessed from the structure, and the choice rests on it. With data, \
                     run ANALYZE and plan again."
                },
            );
        }
        if let Some((chosen, rival)) = &search.decided_by_name {
            self.wrapped(
                0,
                &format!(
                    "Names alone decided for {} and against {}: structure and sizes do not tell them apart.",
                    quote_identifier(chosen),
                    quote_identifier(rival)
                ),
            );
        }
        let schema = self.graph.schema;
        match (&schema.workload, &schema.no_workload) {
            (Some(workload), _) => {
                let joins = count(workload.joins.len(), "join");
                let filters = count(workload.filters.len(), "filter");
                self.wrapped(
                    0,
                    &format!(
                        "Workload: {joins} and {filters} of pg_stat_statements. {}",
                        self.call("SELECT * FROM", "workload", "")
                    ),
                );
            }
            (None, Some(why)) => self.wrapped(0, &format!("No workload: {why}.")),
            (None, None) => {}
        }
        let unknown = self.plan.tables.iter().filter(|t| t.rows.is_none()).count();
        if !search.sizes_guessed && unknown > 0 {
            self.wrapped(0, &format!("{} never analysed: run ANALYZE, then plan again.", has(unknown, "table")));
        }
    }

    /// One schema a tenant: the schemas as a whole, and what is in the way.
    fn tenant_schemas(&mut self) {
        let Some(tenants) = &self.plan.tenant_schemas else { return };
        self.section("Schema-based sharding");
        let of = |range: &[String]| quote_identifiers(range.iter().map(String::as_str));
        let names = match tenants.schemas.as_slice() {
            few if few.len() <= SCHEMAS_SHOWN => of(few),
            many => format!("{}, ..., {}", of(&many[..SCHEMAS_SHOWN - 1]), of(&many[many.len() - 1..])),
        };
        self.wrapped(
            2,
            &format!(
                "{} have the same {}: one schema a tenant ({names}). Distribute the schemas rather than the tables: each stays \
                 on one node as a whole, keys and foreign keys inside it stay as they are, and no query needs a distribution \
                 column. What follows below plans table by table, for comparison.",
                count(tenants.schemas.len(), "schema"),
                count(tenants.tables, "table"),
            ),
        );
        for (schema, how) in tenants.different.iter().take(OBJECTS_SHOWN) {
            self.wrapped(2, &format!("{} differs: {how}.", quote_identifier(schema)));
        }
        if tenants.different.len() > OBJECTS_SHOWN {
            self.line(format!("  {} differ too.", count(tenants.different.len() - OBJECTS_SHOWN, "more schema")));
        }
        if !tenants.shared.is_empty() {
            let shared = tenants.shared.iter().map(|&t| self.graph.table(t).name.to_string());
            let shared: Vec<String> = shared.collect();
            self.wrapped(2, &format!("Shared by the tenants, hence reference tables: {}.", shared.join(", ")));
        }
        match tenants.refusals.len() {
            0 => {}
            n => {
                let call = self.call("SELECT * FROM", "plan_issues", " WHERE code = 'CA119'");
                let line = format!("In the way: {}. {call}", count(n, "object"));
                self.wrapped(2, &line);
            }
        }
        let statements = tenants.statements(self.graph);
        for statement in statements.iter().take(STATEMENTS_SHOWN) {
            self.line(format!("    {statement}"));
        }
        if statements.len() > STATEMENTS_SHOWN {
            let pattern = of(&tenants.schemas[tenants.schemas.len() - 1..]);
            let rest = statements.len() - STATEMENTS_SHOWN;
            self.line(format!("    and {}, to {pattern}; format => 'json' has them all", thousands(rest as i64)));
        }
    }

    /// What the plan costs and for what, beside leaving everything as it is.
    fn cost(&mut self, search: &SearchOutcome) {
        let mut terms = search.price.by_term();
        terms.sort_by_key(|&(_, cost)| std::cmp::Reverse(cost));
        let more: Cost = terms.iter().skip(TERMS_SHOWN).map(|t| t.1).sum();
        let mut parts: Vec<String> =
            terms.iter().take(TERMS_SHOWN).map(|(term, cost)| format!("{} {}", term.as_str(), points(*cost))).collect();
        if terms.len() > TERMS_SHOWN {
            parts.push(format!("other {}", points(more)));
        }
        let what = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        let total = points(search.price.total());
        self.wrapped(
            0,
            &format!(
                "Costs {total} points{what}; everything left local: {}. The load of the database is 1,000, a foreign key {}.",
                points(search.baseline),
                points(search.foreign_key_worth)
            ),
        );
    }

    fn tables(&mut self) {
        let mut groups: Vec<(i64, String, Vec<&PlannedTable>)> = Vec::new();
        for (group, label) in self.plan.layout.groups.iter().enumerate() {
            let members = self.with_placement(|p| p.group() == Some(group));
            if members.is_empty() {
                continue;
            }
            let anchor = members[0];
            let column = self.plan.layout.placement(anchor.table).distribution_column();
            let data_type = column.map(|c| self.graph.column(anchor.table, c).type_text.as_str()).unwrap_or_default();
            let together = if members.len() == 1 { "Distributed" } else { "Distributed together" };
            let named = |t: &&PlannedTable| self.plan.layout.distribution_column_name(t.table) == Some(label);
            let heading = if members.iter().any(named) {
                format!("{together} by {} ({data_type})", quote_identifier(label))
            } else {
                // The label is no column of theirs.
                let column = self.plan.layout.distribution_column_name(anchor.table).unwrap_or_default();
                let label = quote_identifier(label);
                format!("{together} by {} ({data_type}), group {label}", quote_identifier(column))
            };
            groups.push((-members.iter().filter_map(|t| t.bytes).sum::<i64>(), heading, members));
        }
        groups.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let reference = self.with_placement(|p| p == Placement::Reference);
        let local = self.with_placement(|p| p == Placement::Local);
        let mut sections: Vec<(String, Vec<&PlannedTable>)> =
            groups.into_iter().map(|(_, heading, members)| (heading, members)).collect();
        sections.push(("Reference tables, copied to every node".to_owned(), reference));
        sections.push(("Local tables, on the coordinator as now".to_owned(), local));
        let rows: Vec<(String, Vec<[String; 5]>, Option<String>)> = sections
            .into_iter()
            .filter(|(_, tables)| !tables.is_empty())
            .map(|(heading, tables)| {
                let shown = if tables.len() > TABLES_SHOWN + 1 { TABLES_SHOWN } else { tables.len() };
                let rest = &tables[shown..];
                let more = (!rest.is_empty()).then(|| {
                    let bytes: i64 = rest.iter().filter_map(|t| t.bytes).sum();
                    let sum = if bytes > 0 { format!(", {}", size(bytes)) } else { String::new() };
                    format!(
                        "  and {}{sum}: {}",
                        count(rest.len(), "more table"),
                        self.call("SELECT * FROM", "plan_tables", "")
                    )
                });
                (heading, tables[..shown].iter().map(|t| self.row(t)).collect(), more)
            })
            .collect();
        let cells = || rows.iter().flat_map(|(_, rows, _)| rows);
        let width = |cell: usize| cells().map(|r| r[cell].chars().count()).max().unwrap_or(0);
        let (name, on) = (width(0), width(1));
        let mut first = true;
        for (heading, rows, more) in rows {
            self.line("");
            let columns = if first { format!("{:>12}  {:>10}", "rows", "size") } else { String::new() };
            let left = 2 + name + 2 + on;
            self.line(format!("{heading:<left$}{columns}").trim_end().to_owned());
            first = false;
            for [table, column, rows, bytes, note] in rows {
                let line = format!("  {table:<name$}  {column:<on$}{rows:>12}  {bytes:>10}   {note}");
                self.line(line.trim_end());
            }
            if let Some(more) = more {
                self.line(more);
            }
        }
    }

    /// Planned tables of a placement, heaviest first.
    fn with_placement(&self, wanted: impl Fn(Placement) -> bool) -> Vec<&PlannedTable> {
        let mut tables: Vec<_> =
            self.plan.tables.iter().filter(|t| wanted(self.plan.layout.placement(t.table))).collect();
        tables.sort_by_key(|t| (std::cmp::Reverse((t.bytes, t.rows)), &self.graph.table(t.table).name));
        tables
    }

    fn row(&self, planned: &PlannedTable) -> [String; 5] {
        let table = self.graph.table(planned.table);
        let column = self.plan.layout.distribution_column_name(planned.table);
        let partitions = self.graph.leaves(planned.table).len();
        let note = match (&table.partition_key, table.kind) {
            (Some(key), _) => format!("{} by {}", count(partitions, "partition"), key.definition),
            (None, TableKind::Foreign) => "foreign table".to_owned(),
            _ => String::new(),
        };
        let is_added = self.plan.backfills.iter().any(|b| b.table == planned.table);
        let note = match (is_added, note.as_str()) {
            (true, "") => "column added".to_owned(),
            (true, other) => format!("{other}, column added"),
            _ => note,
        };
        [
            table.name.to_string(),
            column.map(|c| format!("on {}", quote_identifier(c))).unwrap_or_default(),
            planned.rows.map_or("?".to_owned(), thousands),
            planned.bytes.map_or("?".to_owned(), size),
            note,
        ]
    }

    fn reasons(&mut self) {
        let mut tables: Vec<&PlannedTable> = self.plan.tables.iter().collect();
        let weight = |t: &&PlannedTable| {
            let role = match self.plan.layout.placement(t.table).role() {
                Role::Distributed => 0,
                Role::Reference => 1,
                Role::Local => 2,
            };
            (role, std::cmp::Reverse((t.bytes, t.rows)), &self.graph.table(t.table).name)
        };
        tables.sort_by_key(weight);
        let overridden: Vec<String> =
            tables.iter().filter(|t| t.overridden).map(|t| self.graph.table(t.table).name.to_string()).collect();
        let explained: Vec<(TableId, String)> =
            tables.iter().filter(|t| !t.overridden).map(|t| (t.table, t.because.clone())).collect();
        self.section("Why");
        for (table, because) in explained.iter().take(REASONS_SHOWN) {
            self.wrapped(2, &format!("{}: {because}.", self.graph.table(*table).name));
        }
        if explained.len() > REASONS_SHOWN {
            let rest = explained.len() - REASONS_SHOWN;
            let call = self.call("SELECT relation, because FROM", "plan_tables", "");
            self.line(format!("  {} explained by {call}", has_are(rest, "more table")));
        }
        match overridden.len() {
            0 => {}
            n if n <= REASONS_SHOWN => self.wrapped(2, &format!("As overridden: {}.", overridden.join(", "))),
            n => self.line(format!("  As overridden: {}.", count(n, "table"))),
        }
    }

    fn losses(&mut self) {
        let mut lost: Vec<(String, String, &'static str)> = Vec::new();
        for planned in &self.plan.foreign_keys {
            if let ForeignKeyFate::Lost { code } = planned.fate {
                let edge = &self.graph.edges[planned.edge];
                let name = &self.graph.foreign_key(edge).name;
                lost.push((self.graph.table(edge.referencing).name.to_string(), name.clone(), code));
            }
        }
        for key in &self.plan.keys {
            if let KeyFate::Lost { code } = key.fate {
                let table = self.graph.table(key.table);
                lost.push((table.name.to_string(), table.indexes[key.index].name.clone(), code));
            }
        }
        for object in &self.plan.lost_objects {
            lost.push((self.graph.table(object.table).name.to_string(), object.name.clone(), object.code));
        }
        if lost.is_empty() {
            return;
        }
        self.section("Lost");
        let total = lost.len();
        for (relation, name, code) in lost.into_iter().take(LOSSES_SHOWN) {
            let finding = self
                .plan
                .findings
                .iter()
                .find(|f| f.code == code && f.object_name == name && f.relation.to_string() == relation);
            let what = finding.map_or("object", |f| f.object_type.as_str());
            self.wrapped(2, &format!("{relation} {what} {} ({code})", quote_identifier(&name)));
            let Some(finding) = finding else { continue };
            if let Some(detail) = &finding.detail {
                self.wrapped(4, detail);
            }
            self.wrapped(4, &format!("Citus: {}", finding.message));
            if let Some(hint) = &finding.hint {
                self.hint(4, hint);
            }
        }
        if total > LOSSES_SHOWN {
            let call = self.call("SELECT * FROM", "plan_issues", " WHERE effect <> 'advice'");
            self.line(format!("  and {} more: {call}", thousands((total - LOSSES_SHOWN) as i64)));
        }
    }

    /// A hint: prose wrapped, statements whole.
    fn hint(&mut self, indent: usize, hint: &str) {
        for line in hint.lines() {
            match line.find("SELECT ").filter(|&at| line.ends_with(';') && line.len() > WIDTH - indent && at > 0) {
                Some(at) => {
                    self.wrapped(indent, line[..at].trim_end());
                    self.sql(indent + 2, &line[at..]);
                }
                None if line.ends_with(';') => self.sql(indent, line),
                None => self.wrapped(indent, line),
            }
        }
    }

    fn changes(&mut self) {
        let mut changes: Vec<String> = Vec::new();
        for planned in &self.plan.backfills {
            let backfill = self.plan.backfill(planned);
            let bytes = planned.bytes.map(|b| format!("; {} written once", size(b))).unwrap_or_default();
            changes.push(format!(
                "{} gets {} {} NOT NULL, filled over {}{bytes}",
                self.graph.table(planned.table).name,
                quote_identifier(&backfill.column.name),
                backfill.column.type_text,
                backfill::in_words(self.graph, backfill),
            ));
        }
        for key in &self.plan.keys {
            if let KeyFate::Widened { column } = key.fate {
                let key_table = key.table;
                let table = self.graph.table(key.table);
                let index = &table.indexes[key.index];
                let added = &self.graph.column(key.table, column).name;
                let keys = index.columns.iter().filter(|c| c.key && c.column.as_deref() != Some(added));
                let columns: Vec<&str> = keys.map(|c| c.text.as_str()).collect();
                let kind = ObjectType::of_index(index);
                if let (Some(partition_key), Some(_)) = (&table.partition_key, &index.constraint) {
                    let (key, name) = (quote_identifier(added), quote_identifier(&index.name));
                    // What rests on the key must go first, and come back.
                    let how = match self.graph.incoming(key_table).next() {
                        Some(_) => "the script widens it, with the foreign keys that rest on it".to_owned(),
                        None => format!(
                            "ALTER TABLE {} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {} ({key}, {});",
                            table.name,
                            kind.as_str().to_uppercase(),
                            columns.join(", ")
                        ),
                    };
                    changes.push(format!(
                        "{} {} {name}: must contain the partition key, {}, and the distribution column, {key}: {how}",
                        table.name,
                        kind.as_str(),
                        partition_key.definition,
                    ));
                    continue;
                }
                changes.push(format!(
                    "{} {} {}: unique per {} from now on, ({}, {})",
                    table.name,
                    ObjectType::of_index(index).as_str(),
                    quote_identifier(&index.name),
                    quote_identifier(added),
                    quote_identifier(added),
                    columns.join(", ")
                ));
            }
        }
        for planned in &self.plan.foreign_keys {
            if let ForeignKeyFate::Widened { columns, on_update } = &planned.fate {
                let edge = &self.graph.edges[planned.edge];
                let side = |table: TableId, pick: fn(&(usize, usize)) -> usize| {
                    quote_identifiers(columns.iter().map(|c| self.graph.column(table, pick(c)).name.as_str()))
                };
                let declared = self.graph.foreign_key(edge).on_update;
                let note = if declared == *on_update { "" } else { ", ON UPDATE NO ACTION from now on" };
                changes.push(format!(
                    "{} foreign key {}: ({}) references {} ({}){note}",
                    self.graph.table(edge.referencing).name,
                    quote_identifier(&self.graph.foreign_key(edge).name),
                    side(edge.referencing, |c| c.0),
                    self.graph.table(edge.referenced).name,
                    side(edge.referenced, |c| c.1),
                ));
            }
        }
        if changes.is_empty() {
            return;
        }
        self.section("Changed");
        for change in changes.iter().take(CHANGES_SHOWN) {
            self.wrapped(2, change);
        }
        if changes.len() > CHANGES_SHOWN {
            let rest = (changes.len() - CHANGES_SHOWN) as i64;
            self.line(format!("  and {} more: see the script", thousands(rest)));
        }
    }

    /// Findings that a person must act on before the script runs: what it does not deal with itself.
    fn to_fix(&self) -> Vec<&Finding> {
        self.plan.reported().filter(|f| !self.is_handled(f) && must_be_fixed(f)).collect()
    }

    /// Whether the script deals with it, or the sections on losses and changes already told of it.
    fn is_handled(&self, finding: &Finding) -> bool {
        let told = matches!(
            finding.object_type,
            ObjectType::PrimaryKey
                | ObjectType::Unique
                | ObjectType::UniqueIndex
                | ObjectType::Exclusion
                | ObjectType::ForeignKey
                | ObjectType::Trigger
                | ObjectType::Policy
        );
        told && (finding.effect == Effect::Blocked || self.is_lost(finding))
    }

    fn is_lost(&self, finding: &Finding) -> bool {
        let object = (&finding.relation, finding.object_name.as_str());
        match finding.object_type {
            ObjectType::ForeignKey => self.lost_foreign_keys.get(&object) == Some(&finding.code),
            _ => finding.effect == Effect::Silent && self.changed_keys.contains(&object),
        }
    }

    fn issues(&mut self) {
        let fix: Vec<Finding> = self.to_fix().into_iter().cloned().collect();
        let rest = self.plan.reported().filter(|f| !self.is_handled(f) && !must_be_fixed(f));
        let (know, good): (Vec<Finding>, Vec<Finding>) = rest.cloned().partition(|f| f.level != Level::Info);
        self.issue_section("Check or fix first", fix);
        self.issue_section("Know before you run it", know);
        self.issue_section("Good to know", good);
        let ignored = self.plan.findings.len() - self.plan.reported().count();
        if ignored > 0 {
            self.line("");
            self.line(format!("{} ignored: SELECT * FROM advisor.ignored_findings;", count(ignored, "issue")));
        }
    }

    fn issue_section(&mut self, heading: &str, findings: Vec<Finding>) {
        if findings.is_empty() {
            return;
        }
        self.section(heading);
        let mut by_code: BTreeMap<(Level, &'static str), Vec<&Finding>> = BTreeMap::new();
        for finding in &findings {
            by_code.entry((finding.level, finding.code)).or_default().push(finding);
        }
        for ((_, code), findings) in by_code {
            let shown = if findings.len() > OBJECTS_SHOWN + 1 { OBJECTS_SHOWN } else { findings.len() };
            for finding in &findings[..shown] {
                self.issue(finding);
            }
            if findings.len() > shown {
                let call = self.call("SELECT * FROM", "plan_issues", &format!(" WHERE code = {}", quote_literal(code)));
                self.line(format!("     {} of {code}: {call}", count(findings.len() - shown, "more object")));
            }
        }
    }

    fn issue(&mut self, finding: &Finding) {
        self.issues += 1;
        let object = match finding.object_type {
            ObjectType::Table => finding.relation.to_string(),
            ObjectType::Column => format!("{}.{}", finding.relation, quote_identifier(&finding.object_name)),
            kind => format!("{} {} {}", finding.relation, kind.as_str(), quote_identifier(&finding.object_name)),
        };
        let number = self.issues;
        self.wrapped(
            2,
            &format!(
                "{number}  {} {} {}: {object}: {}",
                finding.level.as_str(),
                finding.code,
                finding.name,
                finding.message
            ),
        );
        if let Some(detail) = &finding.detail {
            self.wrapped(7, detail);
        }
        match (&finding.fix_sql, &finding.hint) {
            (Some(fix), _) => self.sql(7, fix),
            (None, Some(hint)) => self.hint(7, hint),
            (None, None) => {}
        }
    }

    fn not_seen(&mut self) {
        if self.graph.schema.unseen.is_empty() {
            return;
        }
        self.section("Not seen");
        for sentence in &self.graph.schema.unseen {
            self.wrapped(2, sentence);
        }
    }

    /// A query on one of the planning functions, with the arguments that made this plan.
    fn call(&self, select: &str, function: &str, rest: &str) -> String {
        format!("{select} advisor.{function}({}){rest};", self.plan.request.arguments())
    }

    /// What the user insisted on, and one table more in a role that it does not have, and could.
    fn another_way(&self) -> Assignment {
        let open = |t: &&PlannedTable| !t.overridden && self.graph.table(t.table).kind == TableKind::Ordinary;
        let placement = |t: &PlannedTable| self.plan.layout.placement(t.table);
        let tables = || self.plan.tables.iter().filter(open);
        let distributed = tables()
            .filter(|t| placement(t).is_distributed())
            .min_by_key(|t| (t.bytes, &self.graph.table(t.table).name))
            .map(|t| (t, Role::Reference));
        let reference = tables().find(|t| placement(t) == Placement::Reference).map(|t| (t, Role::Local));
        let (table, role) = match distributed.or(reference) {
            Some((table, role)) => (table, role),
            None => (&self.plan.tables[0], Role::Reference),
        };
        let mut assignment = self.plan.request.overrides.clone();
        let entry = Entry { role, column: None, group: None };
        assignment.0.insert(self.graph.table(table.table).name.to_string(), entry);
        assignment
    }

    fn next(&mut self) {
        self.section("Next");
        let database = shell_word(&self.graph.schema.database);
        let arguments = [self.plan.request.arguments(), "format => 'sql'".to_owned()];
        let arguments: Vec<String> = arguments.into_iter().filter(|a| !a.is_empty()).collect();
        let script = format!("SELECT advisor.plan_distribution({})", arguments.join(", "));
        // Double quotes where the shell leaves their inside alone, else its only safe ones.
        let script =
            if script.contains(['"', '$', '`', '\\', '!']) { shell_word(&script) } else { format!("\"{script}\"") };
        self.line(format!("  the script   psql -XAt -d {database} -c {script} > migrate.sql"));
        let call = self.call("SELECT * FROM", "plan_issues", "");
        self.line(format!("  every issue  {call}"));
        let other = Request { overrides: self.another_way(), ..self.plan.request.clone() }.arguments();
        self.line(format!("  another way  SELECT advisor.plan_distribution({other});"));
    }
}

fn must_be_fixed(finding: &Finding) -> bool {
    finding.level == Level::Error || finding.effect == Effect::Blocked || finding.effect == Effect::Data
}

fn how_sure(search: &SearchOutcome) -> String {
    let guess = if search.sizes_guessed { ", by guessed sizes" } else { "" };
    match (search.proven, search.layouts) {
        (true, 1) => "The only layout left by the overrides.".to_owned(),
        (true, n) if n < 1_000_000_000 => format!("Best of {} layouts (proven{guess}).", thousands(n as i64)),
        (true, n) => format!("Best of more than 10^{} layouts (proven{guess}).", n.ilog10()),
        (false, _) => format!(
            "Not proven best within {} steps: at most {} worse than the best there is{guess}.",
            thousands(search.steps as i64),
            at_most_percent(search.price.total() - search.bound, search.bound)
        ),
    }
}

/// A part of a whole in percent, never said to be less than it is.
fn at_most_percent(part: Cost, whole: Cost) -> String {
    format!("{} %", thousands(((part * 100 + whole.max(1) - 1) / whole.max(1)).max(1)))
}

/// `308.7`: points with one digit, as the reports have them.
fn points(cost: Cost) -> String {
    let tenths = (cost + POINT / 20).div_euclid(POINT / 10);
    format!("{}.{}", thousands(tenths / 10), tenths % 10)
}

/// `41 of 44 foreign keys (9 widened, 3 lost)`
fn tally(all: usize, lost: usize, widened: usize, what: &str) -> String {
    let mut notes = Vec::new();
    if widened > 0 {
        notes.push(format!("{} widened", thousands(widened as i64)));
    }
    if lost > 0 {
        notes.push(format!("{} lost", thousands(lost as i64)));
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{} of {}{notes}", thousands((all - lost) as i64), count(all, what))
}

fn has(number: usize, one: &str) -> String {
    format!("{} {}", count(number, one), if number == 1 { "was" } else { "were" })
}

fn has_are(number: usize, one: &str) -> String {
    format!("{} {}", count(number, one), if number == 1 { "is" } else { "are" })
}

/// A word for a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
