//! What the queries return, field by field. OIDs are join keys and end here.

use serde::Deserialize;

pub struct Rows {
    pub database: Vec<Database>,
    pub schemas: Vec<SchemaName>,
    /// Tables of extensions among them.
    pub relations: Vec<Relation>,
    pub tables: Vec<Table>,
    pub parents: Vec<Parent>,
    pub columns: Vec<Column>,
    pub column_statistics: Vec<ColumnStatistics>,
    pub indexes: Vec<Index>,
    pub index_columns: Vec<IndexColumn>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<Check>,
    pub triggers: Vec<Trigger>,
    pub rules: Vec<Rule>,
    pub policies: Vec<Policy>,
    pub statistics_objects: Vec<StatisticsObject>,
    pub sequences: Vec<Sequence>,
    pub default_sequences: Vec<DefaultSequence>,
    pub types: Vec<Type>,
    pub dependencies: Vec<Dependency>,
    pub views: Vec<View>,
    pub publications: Vec<Publication>,
    pub ignored_findings: Vec<IgnoredFinding>,
    /// Empty without Citus.
    pub citus_tables: Vec<CitusTable>,
    /// Absent where no migration was cut off.
    pub unfinished: Option<Vec<Unfinished>>,
}

#[derive(Deserialize)]
pub struct Database {
    pub name: String,
    pub server_version: u32,
    pub citus_version: Option<String>,
    pub extensions: Vec<String>,
    pub block_size: i64,
}

#[derive(Deserialize)]
pub struct SchemaName {
    pub name: String,
}

#[derive(Deserialize)]
pub struct Relation {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// That it is a member of.
    pub extension: Option<String>,
}

#[derive(Deserialize)]
pub struct Table {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub kind: String,
    pub owner: String,
    pub persistence: String,
    pub is_partition: bool,
    pub partition_bound: Option<String>,
    pub partition_strategy: Option<String>,
    pub partition_columns: Option<Vec<i16>>,
    pub partition_definition: Option<String>,
    pub access_method: Option<String>,
    pub access_method_extension: Option<String>,
    pub of_type: Option<u32>,
    pub tablespace: Option<String>,
    pub wrapper: Option<String>,
    pub options: Option<Vec<String>>,
    pub replica_identity: String,
    pub row_security: bool,
    pub force_row_security: bool,
    pub owned_by_reader: bool,
    pub statistics_readable: bool,
    pub rows: Option<i64>,
    pub pages: Option<i64>,
    /// Of the table's first segment, in the data directory.
    pub file: Option<String>,
    /// In bytes, indexes and all; absent where the table has no rows. Filled in behind the query, by `sizes`.
    #[serde(skip)]
    pub size: Option<i64>,
    pub changes: Option<i64>,
    pub comment: Option<String>,
}

#[derive(Deserialize)]
pub struct Parent {
    pub relation: u32,
    pub schema: String,
    pub name: String,
}

#[derive(Deserialize)]
pub struct Column {
    pub relation: u32,
    pub number: i16,
    pub name: String,
    #[serde(rename = "type")]
    pub data_type: u32,
    pub type_text: String,
    pub type_modifier: i32,
    pub not_null: bool,
    /// 0 where the type has none.
    pub collation: u32,
    pub collation_schema: Option<String>,
    pub collation_name: Option<String>,
    pub deterministic: Option<bool>,
    pub generated: String,
    pub identity: String,
    pub default: Option<String>,
    pub options: Option<Vec<String>>,
    pub comment: Option<String>,
}

#[derive(Deserialize)]
pub struct ColumnStatistics {
    pub schema: String,
    pub relation: String,
    pub name: String,
    /// Of the whole tree below the table.
    pub inherited: bool,
    pub null_fraction: Option<f64>,
    pub n_distinct: Option<f64>,
    pub average_width: i32,
    pub top_frequency: Option<f64>,
    pub correlation: Option<f64>,
}

#[derive(Deserialize)]
pub struct Index {
    pub oid: u32,
    pub relation: u32,
    pub name: String,
    pub unique: bool,
    pub method: String,
    pub valid: bool,
    pub nulls_not_distinct: bool,
    pub clustered: bool,
    pub replica_identity: bool,
    pub predicate: Option<String>,
    pub parent: Option<String>,
    pub tablespace: Option<String>,
    pub options: Option<Vec<String>>,
    /// `pg_class.relkind`
    pub kind: String,
    /// Filled in behind the query, by `index_definitions`.
    #[serde(skip)]
    pub definition: Option<String>,
    pub comment: Option<String>,
    pub constraint_type: Option<String>,
    pub constraint_name: Option<String>,
    pub deferrable: Option<bool>,
    pub initially_deferred: Option<bool>,
    pub period: Option<bool>,
    /// Filled in behind the query, by `index_definitions`.
    #[serde(skip)]
    pub constraint_definition: Option<String>,
    pub constraint_comment: Option<String>,
}

#[derive(Deserialize)]
pub struct IndexColumn {
    pub index: u32,
    pub key: bool,
    pub relation: u32,
    /// Of the table's column; 0 where it is an expression.
    pub number: i16,
    /// Filled in behind the query, with the type.
    #[serde(skip)]
    pub column: Option<String>,
    #[serde(skip)]
    pub data_type: Option<u32>,
    pub method: u32,
    pub expression: Option<String>,
    pub operator_class: Option<u32>,
    pub operator_class_default: Option<bool>,
    pub operator_class_schema: Option<String>,
    pub operator_class_name: Option<String>,
    pub collation: Option<u32>,
    /// Absent, behind the query, where it is the collation that there is without saying so.
    pub collation_schema: Option<String>,
    pub collation_name: Option<String>,
    pub descending: bool,
    pub nulls_first: bool,
    pub operator_schema: Option<String>,
    pub operator_name: Option<String>,
    pub equality: bool,
}

#[derive(Deserialize)]
pub struct ForeignKey {
    pub relation: u32,
    pub name: String,
    pub referenced_schema: String,
    pub referenced_name: String,
    pub columns: Vec<i16>,
    pub referenced: u32,
    pub referenced_columns: Vec<i16>,
    /// Where the referenced table is not among those that are read.
    pub referenced_column_names: Option<Vec<String>>,
    pub on_delete_columns: Option<Vec<i16>>,
    pub on_delete: String,
    pub on_update: String,
    pub match_type: String,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub validated: bool,
    pub enforced: bool,
    pub referenced_index: Option<String>,
    /// Only from a server whose foreign keys may say more than what is above.
    pub definition: Option<String>,
    pub comment: Option<String>,
}

#[derive(Deserialize)]
pub struct Check {
    pub relation: u32,
    pub name: String,
    pub definition: Option<String>,
    pub validated: bool,
    pub no_inherit: bool,
    pub inherited: bool,
    pub comment: Option<String>,
}

#[derive(Deserialize)]
pub struct Trigger {
    pub relation: u32,
    pub name: String,
    pub definition: Option<String>,
    pub function_schema: String,
    pub function_name: String,
    pub enabled: String,
    pub extension: Option<String>,
    pub comment: Option<String>,
}

#[derive(Deserialize)]
pub struct Rule {
    pub relation: u32,
    pub name: String,
    pub definition: Option<String>,
}

#[derive(Deserialize)]
pub struct Policy {
    pub relation: u32,
    pub name: String,
    pub command: String,
    pub permissive: bool,
    /// PUBLIC is null.
    pub roles: Vec<Option<String>>,
    pub using: Option<String>,
    pub with_check: Option<String>,
    pub subquery: bool,
}

#[derive(Deserialize)]
pub struct StatisticsObject {
    pub relation: u32,
    pub schema: String,
    pub name: String,
    pub definition: Option<String>,
    pub expressions: bool,
}

#[derive(Deserialize)]
pub struct Sequence {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub data_type: String,
    pub start: i64,
    pub increment: i64,
    pub owner_relation: Option<u32>,
    pub owner_column: Option<i16>,
    pub identity: bool,
    pub readable: bool,
    pub has_storage: bool,
}

#[derive(Deserialize)]
pub struct DefaultSequence {
    pub relation: u32,
    pub number: i16,
    pub schema: String,
    pub name: String,
}

#[derive(Deserialize)]
pub struct Type {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub text: String,
    pub kind: String,
    pub category: String,
    pub not_null: bool,
    pub inner: Option<u32>,
    pub is_array: bool,
    pub fields: Option<Vec<u32>>,
    pub row_type_schema: Option<String>,
    pub row_type_name: Option<String>,
    pub extension: Option<String>,
}

#[derive(Deserialize)]
pub struct Dependency {
    pub relation: u32,
    pub via: String,
    pub via_name: String,
    pub kind: citus_planner::schema::DependencyKind,
    pub extension: Option<String>,
    pub table_schema: Option<String>,
    pub table_name: Option<String>,
    pub name: Option<String>,
}

#[derive(Deserialize)]
pub struct View {
    pub schema: String,
    pub name: String,
    pub materialized: bool,
    pub bytes: Option<i64>,
    pub read_schemas: Vec<String>,
    pub read_names: Vec<String>,
    /// Of the primary keys that it groups by.
    pub key_schemas: Vec<String>,
    pub key_tables: Vec<String>,
    pub key_constraints: Vec<String>,
    /// Of the tables that its functions need.
    pub row_schemas: Vec<String>,
    pub row_tables: Vec<String>,
    pub statements: Vec<String>,
}

#[derive(Deserialize)]
pub struct Publication {
    pub name: String,
    pub all_tables: bool,
    pub tables: Vec<u32>,
}

/// Of an index that no habit describes.
#[derive(Deserialize)]
pub struct IndexDefinition {
    pub oid: u32,
    pub definition: Option<String>,
    pub constraint_definition: Option<String>,
}

/// Of a table that is not seen to be empty.
#[derive(Deserialize)]
pub struct Size {
    pub oid: u32,
    pub size: Option<i64>,
}

#[derive(Deserialize)]
pub struct IgnoredFinding {
    pub fingerprint: String,
}

#[derive(Deserialize)]
pub struct Unfinished {
    pub kind: String,
    pub relation: String,
    pub model: Option<String>,
}

#[derive(Deserialize)]
pub struct SearchPath {
    pub schemas: Vec<String>,
}

#[derive(Deserialize)]
pub struct LocalGroup {
    /// 0: the coordinator.
    pub id: i32,
}

#[derive(Deserialize)]
pub struct ShardSizes {
    pub schema: String,
    pub name: String,
    pub bytes: Vec<i64>,
    /// Of all shards, where each has been analysed.
    pub rows: Option<i64>,
    pub changes: i64,
}

#[derive(Deserialize)]
pub struct CitusTable {
    pub relation: u32,
    pub kind: String,
    pub distribution_column: Option<String>,
    pub colocation_id: i64,
    pub shard_count: Option<i64>,
}
