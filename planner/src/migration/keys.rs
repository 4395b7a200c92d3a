//! Primary keys, unique constraints and unique indexes: swapped for wider ones, or dropped, while the tables are still
//! PostgreSQL's own. Afterwards Citus would take neither two subcommands in one statement nor a key without the
//! distribution column.

use crate::graph::{ColumnId, TableId};
use crate::identifier::{RelationName, quote_identifier, quote_identifiers, quote_literal};
use crate::plan::{KeyFate, PlannedKey};
use crate::rules::ObjectType;
use crate::schema::{ConstraintKind, Index, IndexColumn, IndexConstraint, ReplicaIdentity, Table, TableKind};

use super::context::{Migration, described, regclass};
use super::sql::{Block, Failure};
use super::{Phase, Step, notebook};

/// Distribution columns that a wider key needs NOT NULL: of a primary key, or of a replica identity.
pub(super) fn not_null(migration: &Migration<'_, '_>) -> Vec<Step> {
    set_not_null_columns(migration).into_iter().map(|(table, column)| set_not_null(migration, table, column)).collect()
}

/// The columns that [`not_null`] is about.
pub(super) fn set_not_null_columns(migration: &Migration<'_, '_>) -> Vec<(TableId, ColumnId)> {
    let mut columns: Vec<(TableId, ColumnId)> = Vec::new();
    for key in &migration.plan.keys {
        let KeyFate::Widened { column } = key.fate else { continue };
        let (_, index) = table_and_index(migration, key);
        let needed = is_primary(index) || replica_identities(migration, key.table, index);
        if needed && !migration.graph.column(key.table, column).not_null && !columns.contains(&(key.table, column)) {
            columns.push((key.table, column));
        }
    }
    columns
}

fn set_not_null(migration: &Migration<'_, '_>, table: TableId, column: ColumnId) -> Step {
    let (name, column) = (migration.name(table), &migration.graph.column(table, column).name);
    let statement = migration
        .checked_block()
        .return_if(&format!(
            "(SELECT attnotnull FROM pg_attribute WHERE attrelid = {} AND attname = {})",
            regclass(name),
            quote_literal(column)
        ))
        .run(format!("ALTER TABLE {name} ALTER COLUMN {} SET NOT NULL", quote_identifier(column)))
        .finish();
    let because = format!(
        "The key that is widened by {column} needs it; Citus refuses NULL there anyway. Fails, changing nothing, while a \
         row has NULL. Reads the whole table under an exclusive lock: readers and writers wait."
    );
    Step { phase: Phase::Keys, relation: Some(name.clone()), statement, because }
}

pub(super) fn swap(migration: &Migration<'_, '_>) -> Vec<Step> {
    let keys = migration.plan.keys.iter();
    keys.filter_map(|key| match key.fate {
        KeyFate::Kept => None,
        KeyFate::Widened { column } => Some(widen(migration, key, column)),
        KeyFate::Lost { code } => Some(lose(migration, key, code)),
    })
    .collect()
}

fn table_and_index<'a>(migration: &Migration<'_, 'a>, key: &PlannedKey) -> (&'a Table, &'a Index) {
    let table = migration.graph.table(key.table);
    (table, &table.indexes[key.index])
}

fn is_primary(index: &Index) -> bool {
    index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::PrimaryKey)
}

/// Whether the index, or one of a partition that belongs to it, is a replica identity.
fn replica_identities(migration: &Migration<'_, '_>, table: TableId, index: &Index) -> bool {
    let is_identity = |t: &Table, i: &Index| t.replica_identity == ReplicaIdentity::Index(i.name.clone());
    is_identity(migration.graph.table(table), index)
        || children(migration, table, index).any(|(partition, child)| is_identity(partition, child))
}

/// The indexes of the partitions that belong to this one.
fn children<'a>(
    migration: &Migration<'_, 'a>,
    table: TableId,
    index: &'a Index,
) -> impl Iterator<Item = (&'a Table, &'a Index)> {
    migration.graph.partitions(table).iter().flat_map(|&partition| {
        let partition = migration.graph.table(partition);
        let child = partition.indexes.iter().find(|i| i.parent.as_deref() == Some(&index.name));
        child.map(|child| (partition, child))
    })
}

/// Reads the definition of the index as it is now into `present`, and its first column into `first_column`.
fn read_present(block: Block, table: &RelationName, index: &Index) -> Block {
    block.declare("present text").declare("first_column text").run(format!(
        "SELECT concat_ws(' ', pg_get_indexdef(c.oid), pg_get_constraintdef(k.oid)), \
         a.attname INTO present, first_column FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid \
         AND k.contype IN ('p', 'u', 'x') \
         LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
         WHERE i.indrelid = {} AND c.relname = {}",
        regclass(table),
        quote_literal(&index.name)
    ))
}

fn unless_planned(block: Block, what: &str, index: &Index) -> Block {
    let mut planned = index.definition.clone();
    if let Some(constraint) = &index.constraint {
        planned = format!("{planned} {}", constraint.definition);
    }
    block.fail_if(
        &format!("present IS DISTINCT FROM {}", quote_literal(&planned)),
        &Failure::new(format!("{what} is not the one that was planned"), "Make a new plan.")
            .detail("coalesce(present, 'It does not exist.')"),
    )
}

fn widen(migration: &Migration<'_, '_>, key: &PlannedKey, column: ColumnId) -> Step {
    let (table, index) = table_and_index(migration, key);
    let what = described(ObjectType::of_index(index), &index.name, &table.name);
    let column = &migration.graph.column(key.table, column).name;
    let mut block = read_present(migration.checked_block(), &table.name, index)
        .return_if(&format!("first_column = {}", quote_literal(column)));
    block = unless_planned(block, &what, index);
    block = block.run(remove(table, index));
    block = block.run(match &index.constraint {
        Some(constraint) => format!(
            "ALTER TABLE {} ADD CONSTRAINT {} {}",
            table.name,
            quote_identifier(&constraint.name),
            constraint_clause(index, constraint, Some(column))
        ),
        None => create_index(table, index, column),
    });
    if index.constraint.is_some() {
        block = block.run(notebook::changed(&table.name, &index.name));
    }
    block = block.run_all(marks(table, index));
    for (partition, child) in children(migration, key.table, index) {
        block = restore_child(block, table, index, partition, child);
    }
    let because = format!(
        "Citus takes no {} without the distribution column: {column} goes in front of its columns. Builds the index \
         under an exclusive lock: readers and writers wait.",
        ObjectType::of_index(index).as_str()
    );
    Step { phase: Phase::Keys, relation: Some(table.name.clone()), statement: block.finish(), because }
}

fn lose(migration: &Migration<'_, '_>, key: &PlannedKey, code: &str) -> Step {
    let (table, index) = table_and_index(migration, key);
    let what = described(ObjectType::of_index(index), &index.name, &table.name);
    let mut block = read_present(migration.checked_block(), &table.name, index)
        .run(notebook::lost(&table.name, &index.name))
        .return_if("present IS NULL");
    block = unless_planned(block, &what, index).run(remove(table, index));
    let definition = index.constraint.as_ref().map_or(&index.definition, |c| &c.definition);
    let because = format!(
        "Lost: {what}. {}. It was: {definition}",
        migration.reason(code, &table.name, &index.name).trim_end_matches('.')
    );
    Step { phase: Phase::Keys, relation: Some(table.name.clone()), statement: block.finish(), because }
}

/// The key as it was, on the way back.
pub(super) fn restore(migration: &Migration<'_, '_>, key: &PlannedKey, is_away: &str) -> Step {
    let (table, index) = table_and_index(migration, key);
    let mut planned = index.definition.clone();
    if let Some(constraint) = &index.constraint {
        planned = format!("{planned} {}", constraint.definition);
    }
    let mut block = read_present(migration.checked_block(), &table.name, index)
        .return_if(&format!("present = {} OR {is_away}", quote_literal(&planned)))
        .run(format!("IF present IS NOT NULL THEN {}; END IF", remove(table, index)));
    block = block.run(match &index.constraint {
        Some(constraint) => {
            let clause = match constraint.kind {
                ConstraintKind::Exclusion => constraint.definition.clone(),
                _ => constraint_clause(index, constraint, None),
            };
            format!("ALTER TABLE {} ADD CONSTRAINT {} {clause}", table.name, quote_identifier(&constraint.name))
        }
        None => index.definition.clone(),
    });
    block = block.run_all(marks(table, index));
    for (partition, child) in children(migration, key.table, index) {
        block = restore_child(block, table, index, partition, child);
    }
    let because = "As it was before the migration.".to_owned();
    Step { phase: Phase::Keys, relation: Some(table.name.clone()), statement: block.finish(), because }
}

fn remove(table: &Table, index: &Index) -> String {
    match &index.constraint {
        Some(constraint) => {
            format!("ALTER TABLE {} DROP CONSTRAINT {}", table.name, quote_identifier(&constraint.name))
        }
        None => format!("DROP INDEX {}", RelationName::new(&table.name.schema, &index.name)),
    }
}

/// `PRIMARY KEY (tenant_id, id) INCLUDE (...) WITH (...)`: a constraint has default operator classes and collations only.
/// An exclusion constraint is never widened.
pub(super) fn constraint_clause(
    index: &Index,
    constraint: &IndexConstraint,
    distribution_column: Option<&str>,
) -> String {
    let mut text = if constraint.kind == ConstraintKind::PrimaryKey { "PRIMARY KEY" } else { "UNIQUE" }.to_owned();
    if index.nulls_not_distinct {
        text += " NULLS NOT DISTINCT";
    }
    let mut columns: Vec<String> = distribution_column.into_iter().map(quote_identifier).collect();
    columns.extend(kept_columns(index, distribution_column, true).map(|c| c.text.clone()));
    if constraint.period {
        columns.last_mut().expect("it has the distribution column").push_str(" WITHOUT OVERLAPS");
    }
    text += &format!(" ({}){}{}", columns.join(", "), include(index, distribution_column), storage(index));
    if let Some(tablespace) = &index.tablespace {
        text += &format!(" USING INDEX TABLESPACE {}", quote_identifier(tablespace));
    }
    if constraint.deferrable {
        text += " DEFERRABLE";
    }
    if constraint.initially_deferred {
        text += " INITIALLY DEFERRED";
    }
    text
}

fn create_index(table: &Table, index: &Index, distribution_column: &str) -> String {
    let mut columns = vec![quote_identifier(distribution_column)];
    columns.extend(kept_columns(index, Some(distribution_column), true).map(element));
    let mut text = format!(
        "CREATE UNIQUE INDEX {} ON {} USING {} ({}){}",
        quote_identifier(&index.name),
        table.name,
        quote_identifier(&index.method),
        columns.join(", "),
        include(index, Some(distribution_column))
    );
    if index.nulls_not_distinct {
        text += " NULLS NOT DISTINCT";
    }
    text += &storage(index);
    if let Some(tablespace) = &index.tablespace {
        text += &format!(" TABLESPACE {}", quote_identifier(tablespace));
    }
    if let Some(predicate) = &index.predicate {
        text += &format!(" WHERE {predicate}");
    }
    text
}

/// Key or INCLUDE columns of the index but for the distribution column, which has gone to the front.
fn kept_columns<'i>(
    index: &'i Index,
    distribution_column: Option<&str>,
    key: bool,
) -> impl Iterator<Item = &'i IndexColumn> {
    let is_in_front =
        move |c: &IndexColumn| distribution_column.is_some() && c.column.as_deref() == distribution_column;
    index.columns.iter().filter(move |&c| c.key == key && !is_in_front(c))
}

/// An index column with operator class, collation and order.
fn element(column: &IndexColumn) -> String {
    let mut text = column.text.clone();
    if let Some(collation) = &column.collation {
        text += &format!(" COLLATE {collation}");
    }
    if let Some(class) = &column.operator_class {
        text += &format!(" {class}");
    }
    if column.descending {
        text += " DESC";
    }
    if column.nulls_first != column.descending {
        text += if column.nulls_first { " NULLS FIRST" } else { " NULLS LAST" };
    }
    text
}

fn include(index: &Index, distribution_column: Option<&str>) -> String {
    let columns = kept_columns(index, distribution_column, false).filter_map(|c| c.column.as_deref());
    let columns = quote_identifiers(columns);
    if columns.is_empty() { columns } else { format!(" INCLUDE ({columns})") }
}

fn storage(index: &Index) -> String {
    if index.options.is_empty() { String::new() } else { format!(" WITH ({})", options(index)) }
}

fn options(index: &Index) -> String {
    let option = |o: &String| match o.split_once('=') {
        Some((name, value)) => format!("{} = {}", quote_identifier(name), quote_literal(value)),
        None => quote_identifier(o),
    };
    index.options.iter().map(option).collect::<Vec<_>>().join(", ")
}

/// What an index loses when it is re-created: comments, the CLUSTER mark, its part as replica identity.
fn marks(table: &Table, index: &Index) -> Vec<String> {
    let mut statements = Vec::new();
    let name = quote_identifier(&index.name);
    if let Some(text) = index.constraint.as_ref().and_then(|c| c.comment.as_ref()) {
        statements.push(format!("COMMENT ON CONSTRAINT {name} ON {} IS {}", table.name, quote_literal(text)));
    }
    if let Some(text) = &index.comment {
        let qualified = RelationName::new(&table.name.schema, &index.name);
        statements.push(format!("COMMENT ON INDEX {qualified} IS {}", quote_literal(text)));
    }
    if index.clustered && table.kind == TableKind::Ordinary {
        statements.push(format!("ALTER TABLE {} CLUSTER ON {name}", table.name));
    }
    if table.replica_identity == ReplicaIdentity::Index(index.name.clone()) {
        statements.push(format!("ALTER TABLE {} REPLICA IDENTITY USING INDEX {name}", table.name));
    }
    statements
}

/// Gives the index of a partition, which came with its parent's, the name and the marks that it had.
fn restore_child(mut block: Block, table: &Table, index: &Index, partition: &Table, child: &Index) -> Block {
    let parent = RelationName::new(&table.name.schema, &index.name);
    block = block
        .run(format!(
            "SELECT c.oid::regclass::text, c.relname INTO present, first_column FROM pg_inherits h \
             JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_index i ON i.indexrelid = c.oid \
             WHERE h.inhparent = {} AND i.indrelid = {}",
            regclass(&parent),
            regclass(&partition.name)
        ))
        .run(format!(
            "IF first_column <> {0} THEN EXECUTE 'ALTER INDEX ' || present || ' RENAME TO ' || \
             quote_ident({0}); END IF",
            quote_literal(&child.name)
        ));
    if child.options != index.options && !child.options.is_empty() {
        let qualified = RelationName::new(&partition.name.schema, &child.name);
        block = block.run(format!("ALTER INDEX {qualified} SET ({})", options(child)));
    }
    block.run_all(marks(partition, child))
}
