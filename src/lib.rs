//! `citus_advisor`: plans how to distribute a PostgreSQL database over a Citus cluster.
//!
//! This crate lives in the backend: it reads the catalog into a model (`catalog`), hands it to the planner
//! (`citus_planner`, which knows nothing of PostgreSQL's process) and returns rows (`planning`). `enforcement` keeps
//! keys unique across partitions. Every `unsafe` is in `pg`.
#![deny(unsafe_code)]

use pgrx::prelude::*;

pgrx::pg_module_magic!();

mod catalog;
mod data;
mod enforcement;
mod error;
#[allow(unsafe_code)]
mod pg;
mod planning;
mod rehearsal;
mod shards;
mod workload;

extension_sql_file!("../sql/rules.sql", requires = [planning::rules]);
extension_sql_file!("../sql/ignored_findings.sql", name = "ignored_findings");
extension_sql_file!("../sql/check_global_unique.sql", name = "check_global_unique");
extension_sql_file!("../sql/check_global_foreign_key.sql", name = "check_global_foreign_key");
extension_sql_file!("../sql/global_key_claims.sql", name = "global_key_claims");
extension_sql_file!(
    "../sql/global_constraints.sql",
    name = "global_constraints",
    requires = [
        enforcement::health::global_constraints,
        enforcement::lifecycle::precede_ddl,
        enforcement::lifecycle::follow_ddl,
        enforcement::lifecycle::follow_drop,
        "check_global_unique"
    ]
);
extension_sql_file!("../sql/comments.sql", finalize);

#[cfg(not(panic = "unwind"))]
compile_error!("a panic must unwind, or it takes the server down: keep panic = \"unwind\"");

#[cfg(any(test, feature = "pg_test"))]
#[path = "../pgrx-tests/pg_test/mod.rs"]
mod in_backend;

/// What `cargo pgrx test` asks of a crate.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        Vec::new()
    }
}
