//! From rows to the planner's model: joins by OID, names, order.

use std::collections::{BTreeSet, HashMap, HashSet};

use citus_planner::identifier::{RelationName, quote_identifier, quote_identifiers};
use citus_planner::migration::foreign_key_definition;
use citus_planner::schema::*;
use citus_planner::statistics::ColumnStatistics;
use pgrx::check_for_interrupts;
use pgrx::pg_sys::Oid;

use super::rows::{self, Rows};
use crate::pg::{operator_class, sequence};

/// A model, and what could not be read for it.
pub struct Reading {
    pub schema: Schema,
    unreadable_sequences: HashSet<RelationName>,
}

pub fn assemble(rows: Rows) -> Reading {
    let types = Types::new(rows.types);
    let columns = Columns::new(&rows.columns);
    let mut tables = Tables::new(rows.tables, rows.database.first().map_or(0, |d| d.block_size), &types, &columns);
    tables.take_parents(rows.parents);
    tables.take_columns(rows.columns, &types);
    tables.take_statistics(rows.column_statistics);
    tables.take_indexes(rows.indexes, rows.index_columns);
    tables.take_foreign_keys(rows.foreign_keys, &columns);
    tables.take_objects(rows.checks, rows.triggers, rows.rules, rows.policies, rows.statistics_objects);
    tables.take_default_sequences(rows.default_sequences, &columns);
    let (sequences, unreadable_sequences) = tables.take_sequences(rows.sequences, &columns);
    tables.take_dependencies(rows.dependencies, &types);

    let database = rows.database.into_iter().next();
    let (name, server_version, citus_version, extensions) =
        database.map(|d| (d.name, d.server_version, d.citus_version, d.extensions)).unwrap_or_default();
    let mut schema = Schema {
        model_version: MODEL_VERSION,
        database: name,
        server_version,
        citus_version,
        citus_target: None,
        extensions: sorted(extensions),
        schemas: sorted(rows.schemas.into_iter().map(|s| s.name).collect()),
        publications: tables.publications(rows.publications),
        citus_tables: tables.citus_tables(rows.citus_tables),
        tables: tables.finish(),
        extension_tables: rows
            .relations
            .into_iter()
            .filter_map(|t| Some(ExtensionTable { extension: t.extension?, name: RelationName::new(t.schema, t.name) }))
            // Our own tables are of no concern to a plan.
            .filter(|t| t.extension != "citus_advisor" || t.name.schema != "advisor")
            .collect(),
        types: types.model.into_values().collect(),
        sequences,
        views: rows
            .views
            .into_iter()
            .map(|v| View {
                name: RelationName::new(v.schema, v.name),
                materialized: v.materialized,
                reads: sorted(
                    v.read_schemas.into_iter().zip(v.read_names).map(|(s, n)| RelationName::new(s, n)).collect(),
                ),
                bytes: v.bytes,
                groups_by: sorted(
                    v.key_schemas
                        .into_iter()
                        .zip(v.key_tables)
                        .zip(v.key_constraints)
                        .map(|((s, n), constraint)| GroupedKey { table: RelationName::new(s, n), constraint })
                        .collect(),
                ),
                takes_rows_of: sorted(
                    v.row_schemas.into_iter().zip(v.row_tables).map(|(s, n)| RelationName::new(s, n)).collect(),
                ),
                statements: v.statements,
            })
            .collect(),
        ignored_findings: sorted(rows.ignored_findings.into_iter().map(|i| i.fingerprint).collect()),
        workload: None,
        no_workload: None,
        unfinished: None,
        unseen: Vec::new(),
    };
    if let Some(notes) = rows.unfinished {
        take_unfinished(&mut schema, notes);
    }
    schema.extension_tables.sort_by(|a, b| a.name.cmp(&b.name));
    schema.views.sort_by(|a, b| a.name.cmp(&b.name));
    Reading { schema, unreadable_sequences }
}

/// A column that was added and is not filled is not there yet, neither in the table nor in its partitions: so a new plan
/// fills it.
fn hide_column(schema: &mut Schema, relation: &str, model: &str) -> Option<AddedColumn> {
    let name: String = serde_json::from_str(model).ok()?;
    let table = schema.tables.iter().find(|t| t.name.to_string() == relation)?;
    let column = table.columns.iter().find(|c| c.name == name)?;
    let added = AddedColumn { table: table.name.clone(), column: name.clone(), type_text: column.type_text.clone() };
    let mut family: Vec<RelationName> = Vec::new();
    family.extend(schema.tables.iter().map(|t| &t.name).find(|n| n.to_string() == relation).cloned());
    let mut place = 0;
    while let Some(parent) = family.get(place).cloned() {
        let partitions = schema.tables.iter().filter(|t| t.partition_of.as_ref() == Some(&parent));
        family.extend(partitions.map(|t| t.name.clone()));
        place += 1;
    }
    for table in schema.tables.iter_mut().filter(|t| family.contains(&t.name)) {
        table.columns.retain(|c| c.name != name);
    }
    Some(added)
}

/// A placement as the notebook has it.
#[derive(serde::Deserialize)]
struct Placement {
    role: citus_planner::assignment::Role,
    distribution_column: Option<String>,
    colocation_group: Option<String>,
}

/// What a migration that was cut off has put aside is as good as there.
fn take_unfinished(schema: &mut Schema, notes: Vec<rows::Unfinished>) {
    let mut unfinished = Unfinished::default();
    for note in notes {
        if note.kind == "column" {
            let added = hide_column(&mut *schema, &note.relation, note.model.as_deref().unwrap_or_default());
            unfinished.added.extend(added);
            continue;
        }
        let Some(table) = schema.tables.iter_mut().find(|t| t.name.to_string() == note.relation) else { continue };
        let model = note.model.as_deref().unwrap_or_default();
        match note.kind.as_str() {
            "moved" => unfinished.moved.push(table.name.clone()),
            "placement" => {
                if let Ok(entry) = serde_json::from_str::<Placement>(model) {
                    unfinished.placements.push(BegunPlacement {
                        table: table.name.clone(),
                        role: entry.role,
                        distribution_column: entry.distribution_column,
                        colocation_group: entry.colocation_group,
                    });
                }
            }
            "foreign key" => {
                if let Ok(key) = serde_json::from_str::<ForeignKey>(model)
                    && table.foreign_keys.iter().all(|k| k.name != key.name)
                {
                    table.foreign_keys.push(ForeignKey { put_aside: true, ..key });
                    table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
                }
            }
            _ => {
                if let Ok(check) = serde_json::from_str::<Check>(model)
                    && table.checks.iter().all(|c| c.name != check.name)
                {
                    table.checks.push(Check { put_aside: true, ..check });
                    table.checks.sort_by(|a, b| a.name.cmp(&b.name));
                }
            }
        }
    }
    unfinished.moved.sort();
    unfinished.placements.sort();
    unfinished.added.sort();
    schema.unfinished = Some(unfinished);
}

impl Reading {
    /// Fills [`Schema::unseen`].
    pub fn say_what_was_unseen(&mut self) {
        let names: Vec<_> = self.schema.tables.iter().filter(|t| !t.statistics_readable).map(|t| &t.name).collect();
        let statistics = sentence("column statistics of", "table", "no SELECT privilege, or row security", &names);
        let unreadable = |s: &&Sequence| self.unreadable_sequences.contains(&s.name);
        let names: Vec<_> = self.schema.sequences.iter().filter(unreadable).map(|s| &s.name).collect();
        let last_values = sentence("last values of", "sequence", "no SELECT or USAGE privilege", &names);
        self.schema.unseen = statistics.into_iter().chain(last_values).collect();
    }
}

/// `column statistics of 4 tables (why): public.a, public.b, public.c and 1 more`
fn sentence(what: &str, noun: &str, why: &str, names: &[&RelationName]) -> Option<String> {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| n.to_string()).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    (!names.is_empty()).then(|| format!("{what} {} {noun}{plural} ({why}): {}{more}", names.len(), shown.join(", ")))
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

/// `schema.name`, each quoted where needed.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// Names of columns by (table, number).
struct Columns(HashMap<(u32, i16), String>);

impl Columns {
    fn new(rows: &[rows::Column]) -> Self {
        Columns(rows.iter().map(|c| ((c.relation, c.number), c.name.clone())).collect())
    }

    fn name(&self, relation: u32, number: i16) -> Option<&String> {
        self.0.get(&(relation, number))
    }

    fn names(&self, relation: u32, numbers: &[i16]) -> Vec<String> {
        numbers.iter().filter_map(|&number| self.name(relation, number)).cloned().collect()
    }
}

/// The types of the model, by OID.
struct Types {
    model: HashMap<u32, (String, DataType)>,
    /// Range, multirange or base types that a user made.
    unsupported: HashSet<u32>,
    /// Inner and field types.
    parts: HashMap<u32, Vec<u32>>,
}

impl Types {
    fn new(rows: Vec<rows::Type>) -> Self {
        let keys: HashMap<u32, String> = rows.iter().map(|t| (t.oid, qualified(&t.schema, &t.name))).collect();
        let key = |oid: &u32| keys.get(oid).cloned();
        let extensions: HashMap<u32, (Option<String>, Option<u32>)> = rows
            .iter()
            .map(|t| (t.oid, (t.extension.clone(), t.inner.filter(|_| t.is_array || t.kind == "m"))))
            .collect();
        // Arrays and multiranges are no members themselves: their element, their range is.
        let extension = |oid: u32| {
            let (own, of) = extensions.get(&oid)?;
            own.clone().or_else(|| extensions.get(&(*of)?)?.0.clone())
        };
        let mut types = Types { model: HashMap::new(), unsupported: HashSet::new(), parts: HashMap::new() };
        for t in rows {
            check_for_interrupts!();
            let kind = match t.kind.as_str() {
                "b" if t.is_array => TypeKind::Array,
                "d" => TypeKind::Domain,
                "e" => TypeKind::Enum,
                "c" => TypeKind::Composite,
                "r" => TypeKind::Range,
                "m" => TypeKind::Multirange,
                "p" => TypeKind::Pseudo,
                _ => TypeKind::Base,
            };
            let extension = extension(t.oid);
            let user_made = t.oid >= pgrx::pg_sys::FirstNormalObjectId && extension.is_none();
            if user_made && matches!(kind, TypeKind::Base | TypeKind::Range | TypeKind::Multirange) {
                types.unsupported.insert(t.oid);
            }
            let fields = t.fields.unwrap_or_default();
            types.parts.insert(t.oid, t.inner.iter().chain(&fields).copied().collect());
            let support = operator_class::of_type(Oid::from(t.oid));
            let model = DataType {
                text: t.text,
                kind,
                inner: t.inner.as_ref().and_then(key),
                fields: fields.iter().filter_map(key).collect(),
                row_type_of: t.row_type_schema.zip(t.row_type_name).map(|(s, n)| RelationName::new(s, n)),
                hash_class: support.hash_class,
                hash_function: support.hash_function,
                btree_class: support.btree_class,
                equality: support.equality,
                category: t.category,
                user_made,
                extension,
                not_null: t.not_null,
            };
            types.model.insert(t.oid, (qualified(&t.schema, &t.name), model));
        }
        types
    }

    fn key(&self, oid: u32) -> String {
        self.model.get(&oid).map(|(key, _)| key.clone()).unwrap_or_default()
    }

    /// What a column of this type needs besides what PostgreSQL brings: tables by their row types, types that Citus
    /// cannot create on workers, types of extensions.
    fn dependencies(&self, oid: u32) -> Vec<(DependencyKind, String, Option<String>)> {
        let (mut found, mut seen, mut open) = (Vec::new(), HashSet::new(), vec![oid]);
        while let Some(next) = open.pop() {
            let Some((key, model)) = self.model.get(&next).filter(|_| seen.insert(next)) else { continue };
            if let Some(extension) = &model.extension {
                found.push((DependencyKind::Other, key.clone(), Some(extension.clone())));
                continue;
            }
            if self.unsupported.contains(&next) {
                found.push((DependencyKind::UnsupportedType, key.clone(), None));
            }
            if let Some(table) = &model.row_type_of {
                found.push((DependencyKind::Table, table.to_string(), None));
                continue;
            }
            open.extend(self.parts.get(&next).into_iter().flatten());
        }
        found
    }
}

/// The tables of the model while they are being put together, by OID.
struct Tables {
    tables: Vec<Table>,
    by_oid: HashMap<u32, usize>,
    /// Types of columns, as long as their OIDs are needed.
    column_types: Vec<Vec<u32>>,
}

impl Tables {
    fn new(rows: Vec<rows::Table>, block_size: i64, types: &Types, columns: &Columns) -> Self {
        let by_oid = rows.iter().enumerate().map(|(i, t)| (t.oid, i)).collect();
        let column_types = vec![Vec::new(); rows.len()];
        let tables = rows.into_iter().map(|t| table(t, block_size, types, columns)).collect();
        Tables { tables, by_oid, column_types }
    }

    fn get(&mut self, oid: u32) -> Option<&mut Table> {
        self.by_oid.get(&oid).map(|&i| &mut self.tables[i])
    }

    fn name(&self, oid: u32) -> Option<RelationName> {
        self.by_oid.get(&oid).map(|&i| self.tables[i].name.clone())
    }

    fn take_parents(&mut self, rows: Vec<rows::Parent>) {
        for row in rows {
            let Some(table) = self.get(row.relation) else { continue };
            let parent = RelationName::new(row.schema, row.name);
            if table.partition_bound.is_some() {
                table.partition_of = Some(parent);
            } else {
                table.inherits.push(parent);
            }
        }
    }

    fn take_columns(&mut self, rows: Vec<rows::Column>, types: &Types) {
        for row in rows {
            let Some(&i) = self.by_oid.get(&row.relation) else { continue };
            self.column_types[i].push(row.data_type);
            self.tables[i].columns.push(column(row, types));
        }
    }

    fn take_statistics(&mut self, rows: Vec<rows::ColumnStatistics>) {
        let by_name: HashMap<RelationName, usize> =
            self.tables.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        for row in rows {
            let Some(&i) = by_name.get(&RelationName::new(row.schema, row.relation)) else { continue };
            let table = &mut self.tables[i];
            // Of a partitioned table the whole tree counts, of any other the table alone.
            if row.inherited != (table.kind == TableKind::Partitioned) {
                continue;
            }
            let Some(column) = table.columns.iter_mut().find(|c| c.name == row.name) else { continue };
            column.statistics = Some(ColumnStatistics {
                null_fraction: row.null_fraction.unwrap_or_default(),
                n_distinct: row.n_distinct.unwrap_or_default(),
                average_width: row.average_width,
                top_frequency: row.top_frequency,
                correlation: row.correlation,
            });
        }
    }

    fn take_indexes(&mut self, rows: Vec<rows::Index>, column_rows: Vec<rows::IndexColumn>) {
        let mut columns: HashMap<u32, Vec<IndexColumn>> = HashMap::new();
        let mut defaults = HashMap::new();
        for row in column_rows {
            columns.entry(row.index).or_default().push(index_column(row, &mut defaults));
        }
        for row in rows {
            let Some(table) = self.get(row.relation) else { continue };
            if row.replica_identity && matches!(table.replica_identity, ReplicaIdentity::Index(_)) {
                table.replica_identity = ReplicaIdentity::Index(row.name.clone());
            }
            let columns = columns.remove(&row.oid).unwrap_or_default();
            table.indexes.push(index(row, columns));
        }
    }

    fn take_foreign_keys(&mut self, rows: Vec<rows::ForeignKey>, columns: &Columns) {
        for row in rows {
            let Some(table) = self.get(row.relation) else { continue };
            let told = row.definition;
            let mut key = ForeignKey {
                name: row.name,
                columns: columns.names(row.relation, &row.columns),
                referenced: RelationName::new(row.referenced_schema, row.referenced_name),
                referenced_columns: row
                    .referenced_column_names
                    .unwrap_or_else(|| columns.names(row.referenced, &row.referenced_columns)),
                on_delete: action(&row.on_delete),
                on_update: action(&row.on_update),
                on_delete_columns: columns.names(row.relation, &row.on_delete_columns.unwrap_or_default()),
                match_type: match row.match_type.as_str() {
                    "f" => MatchType::Full,
                    "p" => MatchType::Partial,
                    _ => MatchType::Simple,
                },
                deferrable: row.deferrable,
                initially_deferred: row.initially_deferred,
                validated: row.validated,
                enforced: row.enforced,
                referenced_index: row.referenced_index,
                definition: String::new(),
                comment: row.comment,
                put_aside: false,
            };
            // What pg_get_constraintdef says, which looks everything up anew.
            key.definition = told.unwrap_or_else(|| foreign_key_definition(&key, &key.referenced));
            table.foreign_keys.push(key);
        }
    }

    fn take_objects(
        &mut self,
        checks: Vec<rows::Check>,
        triggers: Vec<rows::Trigger>,
        rules: Vec<rows::Rule>,
        policies: Vec<rows::Policy>,
        statistics: Vec<rows::StatisticsObject>,
    ) {
        for row in checks {
            let Some(table) = self.get(row.relation) else { continue };
            table.checks.push(Check {
                name: row.name,
                definition: row.definition.unwrap_or_default(),
                validated: row.validated,
                no_inherit: row.no_inherit,
                inherited: row.inherited,
                comment: row.comment,
                put_aside: false,
            });
        }
        for row in triggers {
            let Some(table) = self.get(row.relation) else { continue };
            table.triggers.push(Trigger {
                name: row.name,
                definition: row.definition.unwrap_or_default(),
                function: qualified(&row.function_schema, &row.function_name),
                enabled: row.enabled,
                extension: row.extension,
                comment: row.comment,
            });
        }
        for row in rules {
            let Some(table) = self.get(row.relation) else { continue };
            table.rules.push(RewriteRule { name: row.name, definition: row.definition.unwrap_or_default() });
        }
        for row in policies {
            let Some(table) = self.get(row.relation) else { continue };
            let policy = policy(row, &table.name);
            table.policies.push(policy);
        }
        for row in statistics {
            let Some(table) = self.get(row.relation) else { continue };
            table.statistics_objects.push(StatisticsObject {
                name: RelationName::new(row.schema, row.name),
                definition: row.definition.unwrap_or_default(),
                expressions: row.expressions,
            });
        }
    }

    fn take_default_sequences(&mut self, rows: Vec<rows::DefaultSequence>, columns: &Columns) {
        for row in rows {
            self.add_sequence(row.relation, row.number, RelationName::new(row.schema, row.name), columns);
        }
    }

    fn add_sequence(&mut self, relation: u32, number: i16, sequence: RelationName, columns: &Columns) {
        let Some((table, name)) = self.get(relation).zip(columns.name(relation, number)) else { return };
        if let Some(column) = table.columns.iter_mut().find(|c| c.name == *name)
            && !column.sequences.contains(&sequence)
        {
            column.sequences.push(sequence);
        }
    }

    fn take_sequences(
        &mut self,
        rows: Vec<rows::Sequence>,
        columns: &Columns,
    ) -> (Vec<Sequence>, HashSet<RelationName>) {
        let mut unreadable = HashSet::new();
        let mut sequences = Vec::with_capacity(rows.len());
        for row in rows {
            check_for_interrupts!();
            let name = RelationName::new(row.schema, row.name);
            let owner = row.owner_relation.zip(row.owner_column);
            if let Some((relation, number)) = owner.filter(|_| row.identity) {
                self.add_sequence(relation, number, name.clone(), columns);
            }
            if !row.readable {
                unreadable.insert(name.clone());
            }
            let readable = row.readable && row.has_storage;
            sequences.push(Sequence {
                name,
                data_type: row.data_type,
                owned_by: owner.and_then(|(relation, number)| {
                    let column = columns.name(relation, number)?.clone();
                    Some(ColumnName { relation: self.name(relation)?, column })
                }),
                start: row.start,
                increment: row.increment,
                last_value: if readable { sequence::last_value(Oid::from(row.oid)) } else { None },
            });
        }
        sequences.sort_by(|a, b| a.name.cmp(&b.name));
        (sequences, unreadable)
    }

    fn take_dependencies(&mut self, rows: Vec<rows::Dependency>, types: &Types) {
        let mut found: Vec<BTreeSet<Dependency>> = vec![BTreeSet::new(); self.tables.len()];
        for row in rows {
            let Some(&i) = self.by_oid.get(&row.relation) else { continue };
            let table = row.table_schema.zip(row.table_name).map(|(s, n)| qualified(&s, &n));
            found[i].insert(Dependency {
                kind: row.kind,
                name: table.or(row.name).unwrap_or_default(),
                via: row.via,
                via_name: row.via_name,
                extension: row.extension,
            });
        }
        for (i, table) in self.tables.iter_mut().enumerate() {
            for (column, &data_type) in table.columns.iter().zip(&self.column_types[i]) {
                for (kind, name, extension) in types.dependencies(data_type) {
                    let (via, via_name) = ("column".to_owned(), column.name.clone());
                    found[i].insert(Dependency { kind, name, via, via_name, extension });
                }
            }
            table.dependencies = std::mem::take(&mut found[i]).into_iter().collect();
        }
    }

    fn publications(&self, rows: Vec<rows::Publication>) -> Vec<Publication> {
        let mut publications: Vec<Publication> = rows
            .into_iter()
            .map(|p| Publication {
                name: p.name,
                all_tables: p.all_tables,
                tables: sorted(p.tables.into_iter().filter_map(|t| self.name(t)).collect()),
            })
            .filter(|p| p.all_tables || !p.tables.is_empty())
            .collect();
        publications.sort_by(|a, b| a.name.cmp(&b.name));
        publications
    }

    fn citus_tables(&self, rows: Vec<rows::CitusTable>) -> Vec<CitusTable> {
        let mut tables: Vec<CitusTable> = rows
            .into_iter()
            .filter_map(|t| {
                Some(CitusTable {
                    name: self.name(t.relation)?,
                    kind: t.kind,
                    distribution_column: t.distribution_column,
                    colocation_id: t.colocation_id,
                    shard_count: t.shard_count,
                    shard_bytes: Vec::new(),
                })
            })
            .collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    /// Sorts what has no order of its own.
    fn finish(self) -> Vec<Table> {
        let mut tables = self.tables;
        let parents: HashSet<RelationName> = tables.iter().filter_map(|t| t.partition_of.clone()).collect();
        for table in &mut tables {
            if parents.contains(&table.name) {
                // ANALYZE writes the sum of the leaves there, as of then.
                (table.rows, table.bytes) = (None, None);
            }
            table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
            table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
            table.checks.sort_by(|a, b| a.name.cmp(&b.name));
            table.triggers.sort_by(|a, b| a.name.cmp(&b.name));
            table.rules.sort_by(|a, b| a.name.cmp(&b.name));
            table.policies.sort_by(|a, b| a.name.cmp(&b.name));
            table.statistics_objects.sort_by(|a, b| a.name.cmp(&b.name));
            table.columns.iter_mut().for_each(|c| c.sequences.sort());
        }
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }
}

/// Fewer rows written over and over again say nothing about how busy a table is.
const FEWEST_CHANGES: i64 = 1_000;

/// Rows written over, where there were enough of them.
pub fn changes(counted: Option<i64>) -> Option<i64> {
    counted.filter(|&c| c >= FEWEST_CHANGES)
}

fn table(row: rows::Table, block_size: i64, types: &Types, columns: &Columns) -> Table {
    let kind = match row.kind.as_str() {
        "p" => TableKind::Partitioned,
        "f" => TableKind::Foreign,
        _ => TableKind::Ordinary,
    };
    let bytes = match kind {
        TableKind::Foreign => None,
        _ => row.size.or(row.pages.map(|p| p.saturating_mul(block_size))).or(row.rows.map(|_| 0)),
    };
    let partition_key = row.partition_strategy.map(|strategy| PartitionKey {
        strategy: match strategy.as_str() {
            "r" => "range",
            "l" => "list",
            _ => "hash",
        }
        .to_owned(),
        columns: (row.partition_columns.iter().flatten())
            .map(|&number| columns.name(row.oid, number).cloned())
            .collect(),
        definition: row.partition_definition.unwrap_or_default(),
    });
    Table {
        name: RelationName::new(row.schema, row.name),
        kind,
        owner: row.owner,
        persistence: if row.persistence == "u" { Persistence::Unlogged } else { Persistence::Permanent },
        partition_of: None,
        partition_bound: row.is_partition.then(|| row.partition_bound.unwrap_or_default()),
        partition_key,
        inherits: Vec::new(),
        access_method: row.access_method,
        access_method_extension: row.access_method_extension,
        of_type: row.of_type.map(|oid| types.key(oid)),
        tablespace: row.tablespace,
        foreign: row.wrapper.map(|wrapper| ForeignTable { wrapper, options: row.options.unwrap_or_default() }),
        replica_identity: match row.replica_identity.as_str() {
            "n" => ReplicaIdentity::Nothing,
            "f" => ReplicaIdentity::Full,
            "i" => ReplicaIdentity::Index(String::new()),
            _ => ReplicaIdentity::Default,
        },
        row_security: row.row_security,
        force_row_security: row.force_row_security,
        owned_by_reader: row.owned_by_reader,
        statistics_readable: row.statistics_readable,
        rows: row.rows,
        bytes,
        changes: changes(row.changes),
        comment: row.comment,
        columns: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        rules: Vec::new(),
        policies: Vec::new(),
        statistics_objects: Vec::new(),
        dependencies: Vec::new(),
    }
}

fn column(row: rows::Column, types: &Types) -> Column {
    // PostgreSQL keeps entries of its own there.
    let set_by_user = |o: &String| o.starts_with("n_distinct=") || o.starts_with("n_distinct_inherited=");
    Column {
        name: row.name,
        data_type: types.key(row.data_type),
        type_text: row.type_text,
        type_modifier: row.type_modifier,
        not_null: row.not_null,
        collation: row.collation_schema.zip(row.collation_name).map(|(schema, name)| Collation {
            name: qualified(&schema, &name),
            deterministic: row.deterministic.unwrap_or(true),
        }),
        generated: match row.generated.as_str() {
            "s" => Some(Generated::Stored),
            "v" => Some(Generated::Virtual),
            _ => None,
        },
        identity: match row.identity.as_str() {
            "a" => Some(Identity::Always),
            "d" => Some(Identity::ByDefault),
            _ => None,
        },
        default: row.default,
        sequences: Vec::new(),
        options: row.options.unwrap_or_default().into_iter().filter(set_by_user).collect(),
        comment: row.comment,
        statistics: None,
    }
}

fn index(row: rows::Index, columns: Vec<IndexColumn>) -> Index {
    let kind = row.constraint_type.map(|kind| match kind.as_str() {
        "p" => ConstraintKind::PrimaryKey,
        "u" => ConstraintKind::Unique,
        _ => ConstraintKind::Exclusion,
    });
    Index {
        name: row.name,
        constraint: kind.zip(row.constraint_name).map(|(kind, name)| IndexConstraint {
            kind,
            name,
            deferrable: row.deferrable.unwrap_or_default(),
            initially_deferred: row.initially_deferred.unwrap_or_default(),
            period: row.period.unwrap_or_default(),
            definition: row.constraint_definition.unwrap_or_default(),
            comment: row.constraint_comment,
        }),
        unique: row.unique,
        columns,
        method: row.method,
        predicate: row.predicate,
        nulls_not_distinct: row.nulls_not_distinct,
        valid: row.valid,
        parent: row.parent,
        tablespace: row.tablespace,
        clustered: row.clustered,
        options: row.options.unwrap_or_default(),
        definition: row.definition.unwrap_or_default(),
        comment: row.comment,
    }
}

/// `defaults` remembers the default operator class of (type, access method).
fn index_column(row: rows::IndexColumn, defaults: &mut HashMap<(u32, u32), Oid>) -> IndexColumn {
    let is_default = match (row.data_type, row.operator_class) {
        (Some(data_type), Some(class)) => {
            let default = defaults
                .entry((data_type, row.method))
                .or_insert_with(|| operator_class::default_class(Oid::from(data_type), Oid::from(row.method)));
            *default == Oid::from(class)
        }
        // The type of an expression is not at hand.
        _ => row.operator_class_default.unwrap_or(true),
    };
    let class = row.operator_class_schema.zip(row.operator_class_name).filter(|_| !is_default);
    IndexColumn {
        text: row.column.as_deref().map(quote_identifier).or(row.expression).unwrap_or_default(),
        column: row.column,
        key: row.key,
        operator_class: class.map(|(schema, name)| qualified(&schema, &name)),
        collation: row.collation_schema.zip(row.collation_name).map(|(schema, name)| qualified(&schema, &name)),
        descending: row.descending,
        nulls_first: row.nulls_first,
        // An operator's name is never quoted.
        exclusion_operator: row
            .operator_schema
            .zip(row.operator_name)
            .map(|(schema, name)| format!("{}.{name}", quote_identifier(&schema))),
        exclusion_equality: row.equality,
    }
}

fn policy(row: rows::Policy, table: &RelationName) -> Policy {
    let command = match row.command.as_str() {
        "r" => "SELECT",
        "a" => "INSERT",
        "w" => "UPDATE",
        "d" => "DELETE",
        _ => "ALL",
    };
    let roles = sorted(row.roles);
    let roles = if roles.iter().any(Option::is_none) {
        "PUBLIC".to_owned()
    } else {
        quote_identifiers(roles.iter().flatten().map(String::as_str))
    };
    let kind = if row.permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
    let mut definition =
        format!("CREATE POLICY {} ON {table} AS {kind} FOR {command} TO {roles}", quote_identifier(&row.name));
    if let Some(using) = &row.using {
        definition += &format!(" USING ({using})");
    }
    if let Some(check) = &row.with_check {
        definition += &format!(" WITH CHECK ({check})");
    }
    Policy { name: row.name, subquery: row.subquery, using: row.using, with_check: row.with_check, definition }
}

fn action(code: &str) -> ReferentialAction {
    match code {
        "r" => ReferentialAction::Restrict,
        "c" => ReferentialAction::Cascade,
        "n" => ReferentialAction::SetNull,
        "d" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}
