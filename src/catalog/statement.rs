//! Composes the queries into one statement, in the dialect of this server.

use crate::pg::relation;

/// What each key of the result is made of.
const QUERIES: &[(&str, &str)] = &[
    ("database", include_str!("database.sql")),
    ("schemas", include_str!("schemas.sql")),
    ("extension_tables", include_str!("extension_tables.sql")),
    ("tables", include_str!("tables.sql")),
    ("parents", include_str!("parents.sql")),
    ("columns", include_str!("columns.sql")),
    ("column_statistics", include_str!("column_statistics.sql")),
    ("indexes", include_str!("indexes.sql")),
    ("index_columns", include_str!("index_columns.sql")),
    ("foreign_keys", include_str!("foreign_keys.sql")),
    ("checks", include_str!("checks.sql")),
    ("triggers", include_str!("triggers.sql")),
    ("rules", include_str!("rules.sql")),
    ("policies", include_str!("policies.sql")),
    ("statistics_objects", include_str!("statistics_objects.sql")),
    ("sequences", include_str!("sequences.sql")),
    ("default_sequences", include_str!("default_sequences.sql")),
    ("types", include_str!("types.sql")),
    ("dependencies", include_str!("dependencies.sql")),
    ("views", include_str!("views.sql")),
    ("publications", include_str!("publications.sql")),
    ("ignored_findings", include_str!("ignored_findings.sql")),
];

/// What newer servers have and older ones lack: a placeholder in the queries, and what it stands for.
const DIALECT: &[(&str, &str)] = if cfg!(feature = "pg18") {
    &[("/*conperiod*/", "con.conperiod"), ("/*conenforced*/", "con.conenforced")]
} else {
    &[("/*conperiod*/", "false"), ("/*conenforced*/", "true")]
};

/// Whether this database has Citus' metadata.
pub fn citus_is_there() -> bool {
    relation::extension_exists(c"citus")
        && relation::catalog_exists(c"pg_dist_partition")
        && relation::catalog_exists(c"pg_dist_shard")
}

/// One statement that returns one bytea: JSON in UTF-8 with a key for each query.
pub fn compose() -> String {
    let citus = citus_is_there();
    let is_shard = if citus { include_str!("is_shard.sql") } else { "false" };
    let mut queries = QUERIES.to_vec();
    if citus {
        queries.push(("citus_tables", include_str!("citus_tables.sql")));
    }
    if relation::may_be_read(c"planned_migration", c"put_aside")
        && relation::may_be_read(c"planned_migration", c"tables")
    {
        queries.push(("unfinished", include_str!("unfinished.sql")));
    }
    let parts: Vec<String> = queries
        .iter()
        .map(|(key, query)| format!("'{key}', (SELECT coalesce(json_agg(row), '[]') FROM (\n{query}) AS row)"))
        .collect();
    let statement = format!(
        "WITH relation AS MATERIALIZED (\n{}) SELECT convert_to(json_build_object({})::text, 'UTF8')",
        include_str!("relations.sql").replace("/*is_shard*/", &format!("\n{is_shard}\n")),
        parts.join(",\n"),
    );
    DIALECT.iter().fold(statement, |statement, (placeholder, expression)| statement.replace(placeholder, expression))
}
