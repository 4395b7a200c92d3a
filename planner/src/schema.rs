//! The model of a database: plain structs that serialise to JSON and back, without OIDs, without behaviour that depends
//! on Citus. `advisor.schema_model()` prints one, so that a bug report is a file and a test replays it.
//!
//! Text that PostgreSQL deparses (`definition`, `expression`, ...) was produced under an empty `search_path`: every name
//! in it is qualified. Lists are sorted by name unless their order means something; the order of columns is the table's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assignment::Role;
pub use crate::identifier::RelationName;
use crate::statistics::ColumnStatistics;
use crate::workload::Workload;

/// Raised when a reader must know that fields changed their meaning; new optional fields do not count.
pub const MODEL_VERSION: u32 = 1;

/// All that the planner knows of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// [`MODEL_VERSION`] of the writer.
    pub model_version: u32,
    pub database: String,
    /// `server_version_num`, e.g. 150020.
    pub server_version: u32,
    /// Version of the extension citus where it is installed in this database, e.g. `13.2-1`.
    pub citus_version: Option<String>,
    /// The release to plan for, where somebody said so (`citus_advisor.citus_version`); else that of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citus_target: Option<String>,
    /// Names of the extensions installed in this database.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Schemas that hold user objects (or could: empty ones too), raw names.
    pub schemas: Vec<String>,
    /// Ordinary, partitioned and foreign tables and partitions, sorted by name; without temporary tables and tables of
    /// extensions (but see [`Schema::extension_tables`]).
    pub tables: Vec<Table>,
    /// Tables that belong to an extension: left out of the plan, named where a foreign key leads to one.
    #[serde(default)]
    pub extension_tables: Vec<ExtensionTable>,
    /// Every type that a column uses, directly or inside a domain, array, range or composite; the key is the
    /// qualified, quoted name without modifier (`pg_catalog.int8`, `"App".money_t`).
    pub types: BTreeMap<String, DataType>,
    /// Sequences, sorted by name.
    #[serde(default)]
    pub sequences: Vec<Sequence>,
    /// Views and materialized views, sorted by name.
    #[serde(default)]
    pub views: Vec<View>,
    /// Publications that cover tables of the model.
    #[serde(default)]
    pub publications: Vec<Publication>,
    /// What is distributed already (`pg_dist_partition`), where Citus is installed.
    #[serde(default)]
    pub citus_tables: Vec<CitusTable>,
    /// Fingerprints of findings that the user left out of reports (`advisor.ignored_findings`), sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_findings: Vec<String>,
    /// What the statements of the database join and filter by, where somebody has read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Why there is no workload, where somebody has looked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_workload: Option<String>,
    /// A migration that was cut off, as it has written itself down; what it has put aside is in the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
    /// What the reader could not see, each a sentence.
    #[serde(default)]
    pub unseen: Vec<String>,
}

/// A migration that was cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Tables that it moves, and whose copies on the coordinator it has not yet removed; sorted.
    pub moved: Vec<RelationName>,
    /// Where its plan wants every table; sorted by name.
    #[serde(default)]
    pub placements: Vec<BegunPlacement>,
    /// Columns that it has added and not filled: the tables are shown without them.
    #[serde(default)]
    pub added: Vec<AddedColumn>,
}

/// A column that a migration has added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddedColumn {
    pub table: RelationName,
    pub column: String,
    pub type_text: String,
}

impl Unfinished {
    /// The colocation group that the plan has for a table with this distribution column.
    pub fn group_of(&self, table: &RelationName, column: &str) -> Option<&str> {
        let place = self.placements.binary_search_by(|p| p.table.cmp(table)).ok()?;
        let begun = &self.placements[place];
        (begun.distribution_column.as_deref() == Some(column)).then_some(begun.colocation_group.as_deref()?)
    }
}

/// What a migration that was cut off was to make of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BegunPlacement {
    pub table: RelationName,
    pub role: Role,
    pub distribution_column: Option<String>,
    pub colocation_group: Option<String>,
}

/// A table of an extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionTable {
    pub name: RelationName,
    pub extension: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    Ordinary,
    Partitioned,
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    Permanent,
    Unlogged,
}

/// A table or partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: RelationName,
    pub kind: TableKind,
    pub owner: String,
    pub persistence: Persistence,
    /// The partitioned table that this is a partition of.
    #[serde(default)]
    pub partition_of: Option<RelationName>,
    /// `FOR VALUES ...` or `DEFAULT` of a partition.
    #[serde(default)]
    pub partition_bound: Option<String>,
    /// How a partitioned table is partitioned.
    #[serde(default)]
    pub partition_key: Option<PartitionKey>,
    /// Parents by plain inheritance (not partitioning).
    #[serde(default)]
    pub inherits: Vec<RelationName>,
    /// Access method (`heap`, `columnar`); absent where the kind of table has none.
    #[serde(default)]
    pub access_method: Option<String>,
    /// The extension that brought the access method, if one did.
    #[serde(default)]
    pub access_method_extension: Option<String>,
    /// The composite type of a typed table (`CREATE TABLE ... OF`).
    #[serde(default)]
    pub of_type: Option<String>,
    #[serde(default)]
    pub tablespace: Option<String>,
    /// Foreign data wrapper and options of a foreign table.
    #[serde(default)]
    pub foreign: Option<ForeignTable>,
    #[serde(default)]
    pub replica_identity: ReplicaIdentity,
    #[serde(default)]
    pub row_security: bool,
    #[serde(default)]
    pub force_row_security: bool,
    /// Whether the role that read the model may act as the owner (`pg_has_role(owner, 'USAGE')`).
    #[serde(default = "yes")]
    pub owned_by_reader: bool,
    /// Whether the reader may see the column statistics (SELECT, and no row security in the way).
    #[serde(default = "yes")]
    pub statistics_readable: bool,
    /// `reltuples` of this relation alone; absent where it was never analysed. A partitioned table itself has none:
    /// its leaves count (see [`crate::graph::Graph::rows`]).
    #[serde(default)]
    pub rows: Option<i64>,
    /// Size on disk with indexes and TOAST, in bytes, or `relpages` where the files hold nothing; absent where both are
    /// unknown.
    #[serde(default)]
    pub bytes: Option<i64>,
    /// Rows of this relation alone that were written beyond those that are there: updates, deletes, and inserts of rows that
    /// are gone again, since the statistics were reset. Absent where there were none. The rows that a load brought do not
    /// count, nor does it matter, therefore, when the server gets to counting them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<i64>,
    #[serde(default)]
    pub comment: Option<String>,
    /// In the table's order, dropped columns left out.
    pub columns: Vec<Column>,
    /// All indexes: unique and not, of constraints and not.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// Foreign keys declared here; those that a partition only inherits are left out (`conparentid = 0`).
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Triggers declared here: neither internal ones nor clones on partitions.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// Rules other than the `_RETURN` of views.
    #[serde(default)]
    pub rules: Vec<RewriteRule>,
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// Extended statistics objects.
    #[serde(default)]
    pub statistics_objects: Vec<StatisticsObject>,
    /// Objects that defaults, checks, generated columns, indexes, policies and column types of this table depend on
    /// and that decide whether Citus can create it on a worker.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionKey {
    /// `range`, `list` or `hash`.
    pub strategy: String,
    /// Raw column names; absent for an expression.
    pub columns: Vec<Option<String>>,
    /// As `pg_get_partkeydef` prints it.
    pub definition: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignTable {
    pub wrapper: String,
    /// `name=value`, as in `pg_foreign_table.ftoptions`.
    pub options: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    #[default]
    Default,
    Nothing,
    Full,
    /// Raw name of the index.
    Index(String),
}

/// A column. Columns are referred to by raw name, or by their position in [`Table::columns`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Raw name, as in `attname`.
    pub name: String,
    /// Key into [`Schema::types`]: `atttypid` without modifier. Two columns can share a colocation group only if equal.
    #[serde(rename = "type")]
    pub data_type: String,
    /// `format_type(atttypid, atttypmod)`: what one would write in DDL (`character varying(20)`).
    pub type_text: String,
    /// `atttypmod`, -1 where the type has none.
    #[serde(default = "no_modifier")]
    pub type_modifier: i32,
    #[serde(default)]
    pub not_null: bool,
    /// Where the column has a collation.
    #[serde(default)]
    pub collation: Option<Collation>,
    #[serde(default)]
    pub generated: Option<Generated>,
    #[serde(default)]
    pub identity: Option<Identity>,
    /// Default or generation expression, deparsed.
    #[serde(default)]
    pub default: Option<String>,
    /// Sequences that the default draws from by a recorded dependency (`nextval('s'::regclass)`), or the identity's own.
    #[serde(default)]
    pub sequences: Vec<RelationName>,
    /// Per-column options other than PostgreSQL's own bookkeeping, e.g. `n_distinct=1000`.
    #[serde(default)]
    pub options: Vec<String>,
    #[serde(default)]
    pub comment: Option<String>,
    #[serde(default)]
    pub statistics: Option<ColumnStatistics>,
}

fn no_modifier() -> i32 {
    -1
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collation {
    /// Qualified, quoted.
    pub name: String,
    pub deterministic: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    Stored,
    Virtual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    Always,
    ByDefault,
}

/// An index, and the constraint that it backs, if any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Raw name of the index.
    pub name: String,
    #[serde(default)]
    pub constraint: Option<IndexConstraint>,
    #[serde(default)]
    pub unique: bool,
    /// Key columns first, then INCLUDE columns.
    pub columns: Vec<IndexColumn>,
    /// Access method: `btree`, `gist`, ...
    pub method: String,
    /// Deparsed WHERE clause of a partial index.
    #[serde(default)]
    pub predicate: Option<String>,
    #[serde(default)]
    pub nulls_not_distinct: bool,
    #[serde(default = "yes")]
    pub valid: bool,
    /// Raw name of the index of the partitioned parent that this one belongs to: it follows its parent.
    #[serde(default)]
    pub parent: Option<String>,
    #[serde(default)]
    pub tablespace: Option<String>,
    /// `CLUSTER` was last done on this index.
    #[serde(default)]
    pub clustered: bool,
    /// `reloptions`, e.g. `fillfactor=70`.
    #[serde(default)]
    pub options: Vec<String>,
    /// `pg_get_indexdef`.
    pub definition: String,
    #[serde(default)]
    pub comment: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    PrimaryKey,
    Unique,
    Exclusion,
}

/// The constraint that an index backs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexConstraint {
    pub kind: ConstraintKind,
    /// Raw name (that of the index, as PostgreSQL keeps the two equal).
    pub name: String,
    #[serde(default)]
    pub deferrable: bool,
    #[serde(default)]
    pub initially_deferred: bool,
    /// `WITHOUT OVERLAPS` (PostgreSQL 18).
    #[serde(default)]
    pub period: bool,
    /// `pg_get_constraintdef`.
    pub definition: String,
    #[serde(default)]
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// Raw column name; absent for an expression.
    #[serde(default)]
    pub column: Option<String>,
    /// `pg_get_indexdef(index, position, false)`: the column or expression as written in DDL.
    pub text: String,
    /// False for INCLUDE columns.
    #[serde(default = "yes")]
    pub key: bool,
    /// Qualified operator class where it is not the type's default for the access method.
    #[serde(default)]
    pub operator_class: Option<String>,
    /// Qualified collation where it differs from the column's.
    #[serde(default)]
    pub collation: Option<String>,
    #[serde(default)]
    pub descending: bool,
    #[serde(default)]
    pub nulls_first: bool,
    /// Of an exclusion constraint: the operator, as `OPERATOR(schema.op)` would name it (`pg_catalog.=`).
    #[serde(default)]
    pub exclusion_operator: Option<String>,
    /// Of an exclusion constraint: whether that operator is equality in some btree operator family.
    #[serde(default)]
    pub exclusion_equality: bool,
}

/// `pg_constraint.confdeltype` and `confupdtype`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchType {
    #[default]
    Simple,
    Full,
    Partial,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Raw name.
    pub name: String,
    /// Raw referencing columns, in the constraint's order.
    pub columns: Vec<String>,
    pub referenced: RelationName,
    /// Raw referenced columns, same length and order.
    pub referenced_columns: Vec<String>,
    #[serde(default)]
    pub on_delete: ReferentialAction,
    #[serde(default)]
    pub on_update: ReferentialAction,
    /// `ON DELETE SET NULL (a, b)`: the columns named, raw; empty for all.
    #[serde(default)]
    pub on_delete_columns: Vec<String>,
    #[serde(default)]
    pub match_type: MatchType,
    #[serde(default)]
    pub deferrable: bool,
    #[serde(default)]
    pub initially_deferred: bool,
    #[serde(default = "yes")]
    pub validated: bool,
    /// `NOT ENFORCED` is false (PostgreSQL 18).
    #[serde(default = "yes")]
    pub enforced: bool,
    /// Raw name of the unique index on the referenced side that the constraint rests on.
    #[serde(default)]
    pub referenced_index: Option<String>,
    /// `pg_get_constraintdef`.
    pub definition: String,
    #[serde(default)]
    pub comment: Option<String>,
    /// Dropped by a migration that was cut off, which wrote down how it was.
    #[serde(default, skip_serializing_if = "is_false")]
    pub put_aside: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    /// `pg_get_constraintdef`.
    pub definition: String,
    #[serde(default = "yes")]
    pub validated: bool,
    #[serde(default)]
    pub no_inherit: bool,
    /// Came down from a parent and is not also declared here.
    #[serde(default)]
    pub inherited: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// As of a foreign key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub put_aside: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    pub name: String,
    /// `pg_get_triggerdef`.
    pub definition: String,
    /// Qualified, quoted name of the function.
    pub function: String,
    /// `tgenabled`: O, D, R or A.
    pub enabled: String,
    /// `DEPENDS ON EXTENSION`, or member of one.
    #[serde(default)]
    pub extension: Option<String>,
    #[serde(default)]
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewriteRule {
    pub name: String,
    pub definition: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub name: String,
    /// Whether USING or WITH CHECK holds a subquery (a SubLink node).
    pub subquery: bool,
    #[serde(default)]
    pub using: Option<String>,
    #[serde(default)]
    pub with_check: Option<String>,
    /// `CREATE POLICY`, complete.
    pub definition: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticsObject {
    pub name: RelationName,
    pub definition: String,
    /// Whether it is (also) on expressions.
    #[serde(default)]
    pub expressions: bool,
}

/// What a table's definition depends on, beyond its columns' plain types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    pub kind: DependencyKind,
    /// Qualified, quoted; of an operator its qualified name, of a function its signature.
    pub name: String,
    /// By what the table depends on it: `default`, `check`, `index`, `policy`, `column`, with the object's raw name.
    pub via: String,
    pub via_name: String,
    /// The extension that owns the object, if one does.
    #[serde(default)]
    pub extension: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyKind {
    /// A table through its row type (a column of that type, or an argument of a function used in an expression).
    Table,
    Function,
    /// A user-made range, multirange or base type, directly or inside another type.
    UnsupportedType,
    Operator,
    OperatorClass,
    OperatorFamily,
    Collation,
    Cast,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    Base,
    Domain,
    Enum,
    Composite,
    Range,
    Multirange,
    Array,
    Pseudo,
}

/// A data type, seen with the eyes of hash distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataType {
    /// How people write it (`format_type`): `bigint`, `public.citext`.
    pub text: String,
    pub kind: TypeKind,
    /// Of a domain: key of its base type. Of an array: of its elements. Of a range or multirange: of its subtype.
    #[serde(default)]
    pub inner: Option<String>,
    /// Of a composite type: keys of its fields' types.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Of a composite type that is a table's row type: that table.
    #[serde(default)]
    pub row_type_of: Option<RelationName>,
    /// `GetDefaultOpClass(type, hash)` finds a class.
    pub hash_class: bool,
    /// That class's family has support function 1 for the type.
    pub hash_function: bool,
    /// `GetDefaultOpClass(type, btree)` finds a class.
    pub btree_class: bool,
    /// The operator of the type's equality, as `OPERATOR(pg_catalog.=)`, where it has one.
    #[serde(default)]
    pub equality: Option<String>,
    /// `pg_type.typcategory`.
    #[serde(default)]
    pub category: String,
    /// Made by a user: neither built in (OID below 16384) nor of an extension.
    #[serde(default)]
    pub user_made: bool,
    #[serde(default)]
    pub extension: Option<String>,
    /// Of a domain: default and checks are the type's, NOT NULL too.
    #[serde(default)]
    pub not_null: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub name: RelationName,
    /// `smallint`, `integer` or `bigint`.
    pub data_type: String,
    /// Column that owns it (`OWNED BY`, serial, identity).
    #[serde(default)]
    pub owned_by: Option<ColumnName>,
    pub start: i64,
    pub increment: i64,
    /// Last value handed out, where the reader may see it.
    #[serde(default)]
    pub last_value: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnName {
    pub relation: RelationName,
    pub column: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub name: RelationName,
    #[serde(default)]
    pub materialized: bool,
    /// Tables and views that its query reads, sorted.
    #[serde(default)]
    pub reads: Vec<RelationName>,
    #[serde(default)]
    pub bytes: Option<i64>,
    /// Primary keys by which it groups, so that it could not be without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_by: Vec<GroupedKey>,
    /// Tables that its functions need, by their row types or bodies of SQL; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_rows_of: Vec<RelationName>,
    /// Statements that make it again; only where it, or a view that it reads, groups by a primary key or has functions that
    /// need tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
}

/// A primary key by which a view groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupedKey {
    pub table: RelationName,
    pub constraint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    pub name: String,
    pub all_tables: bool,
    /// Tables in it, whether named or through their schema; empty where `all_tables`.
    pub tables: Vec<RelationName>,
}

/// A row of `pg_dist_partition`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CitusTable {
    pub name: RelationName,
    /// `distributed`, `reference`, `local` (managed by Citus) or `single_shard`.
    pub kind: String,
    #[serde(default)]
    pub distribution_column: Option<String>,
    pub colocation_id: i64,
    #[serde(default)]
    pub shard_count: Option<i64>,
    /// Bytes of each shard in the order of the hash ranges; only where an audit asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shard_bytes: Vec<i64>,
}
