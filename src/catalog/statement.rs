//! Composes the queries into one statement, in the dialect of this server.

use crate::pg::relation;

/// What each key of the result is made of.
const QUERIES: &[(&str, &str)] = &[
    ("database", include_str!("sql/database.sql")),
    ("schemas", include_str!("sql/schemas.sql")),
    ("extension_tables", include_str!("sql/extension_tables.sql")),
    ("tables", include_str!("sql/tables.sql")),
    ("parents", include_str!("sql/parents.sql")),
    ("columns", include_str!("sql/columns.sql")),
    ("column_statistics", include_str!("sql/column_statistics.sql")),
    ("indexes", include_str!("sql/indexes.sql")),
    ("index_columns", include_str!("sql/index_columns.sql")),
    ("foreign_keys", include_str!("sql/foreign_keys.sql")),
    ("checks", include_str!("sql/checks.sql")),
    ("triggers", include_str!("sql/triggers.sql")),
    ("rules", include_str!("sql/rules.sql")),
    ("policies", include_str!("sql/policies.sql")),
    ("statistics_objects", include_str!("sql/statistics_objects.sql")),
    ("sequences", include_str!("sql/sequences.sql")),
    ("default_sequences", include_str!("sql/default_sequences.sql")),
    ("types", include_str!("sql/types.sql")),
    ("dependencies", include_str!("sql/dependencies.sql")),
    ("views", include_str!("sql/views.sql")),
    ("publications", include_str!("sql/publications.sql")),
];

/// What newer servers have and older ones lack: a placeholder in the queries, and what it stands for.
const DIALECT: &[(&str, &str)] = if cfg!(feature = "pg18") {
    &[("/*conperiod*/", "con.conperiod"), ("/*conenforced*/", "con.conenforced")]
} else {
    &[("/*conperiod*/", "false"), ("/*conenforced*/", "true")]
};

/// One statement that returns one bytea: JSON in UTF-8 with a key for each query.
pub fn compose() -> String {
    let citus = relation::extension_exists(c"citus")
        && relation::catalog_exists(c"pg_dist_partition")
        && relation::catalog_exists(c"pg_dist_shard");
    let is_shard = if citus { include_str!("sql/is_shard.sql") } else { "false" };
    let mut queries = QUERIES.to_vec();
    if citus {
        queries.push(("citus_tables", include_str!("sql/citus_tables.sql")));
    }
    let parts: Vec<String> = queries
        .iter()
        .map(|(key, query)| format!("'{key}', (SELECT coalesce(json_agg(row), '[]') FROM (\n{query}) AS row)"))
        .collect();
    let statement = format!(
        "WITH relation AS MATERIALIZED (\n{}) SELECT convert_to(json_build_object({})::text, 'UTF8')",
        include_str!("sql/relations.sql").replace("/*is_shard*/", &format!("\n{is_shard}\n")),
        parts.join(",\n"),
    );
    DIALECT.iter().fold(statement, |statement, (placeholder, expression)| statement.replace(placeholder, expression))
}
