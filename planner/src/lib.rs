//! Decides how to spread a PostgreSQL schema over a Citus cluster.
//!
//! Data goes one way: a [`schema::Schema`] (everything known of a database) and an [`assignment::Assignment`] (what the
//! user insists on) go in; the search proposes a [`layout::Layout`], the [`rules`] judge it, and a plan comes out that
//! the reports and the migration script only read. Nothing here touches a server, a clock or a random number: the same
//! input gives the same bytes.
#![forbid(unsafe_code)]

pub mod assignment;
pub mod error;
pub mod graph;
pub mod identifier;
pub mod layout;
pub mod migration;
pub mod plan;
pub mod rules;
pub mod schema;
pub mod statistics;
