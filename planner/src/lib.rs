//! Decides how to spread a PostgreSQL schema over a Citus cluster.
//!
//! Data goes one way: a [`schema::Schema`] (everything known of a database) and an [`assignment::Assignment`] (what the
//! user insists on) go in; the search proposes a [`layout::Layout`], the [`rules`] judge it, and a plan comes out that
//! the reports and the migration script only read. Nothing here touches a server, a clock or a random number: the same
//! input gives the same bytes.
#![forbid(unsafe_code)]

pub mod assignment;
pub mod audit;
pub mod backfill;
pub mod citus_version;
pub mod classes;
pub mod data_check;
pub mod error;
pub mod global_keys;
pub mod graph;
pub mod identifier;
pub mod layout;
pub mod migration;
pub mod plan;
pub mod report;
pub mod rules;
pub mod schema;
pub mod search;
pub mod shards;
pub mod statistics;
pub mod tenant_schemas;
pub mod workload;

use assignment::Assignment;
use error::Error;
use graph::Graph;
use plan::Plan;

/// What a user asks the planner for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Raw names of the schemas to plan; all where absent.
    pub schemas: Option<Vec<String>>,
    /// What the user insists on.
    pub overrides: Assignment,
    /// Raw schema names along which unqualified names in the overrides are looked up.
    pub search_path: Vec<String>,
    /// What things are worth to the user.
    pub prices: Prices,
}

/// Settings of the cost model, see `docs/design.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// What one foreign key is worth, in hundredths of a percent of the database's load
    /// (`citus_advisor.foreign_key_worth`).
    pub foreign_key_worth: u32,
    /// Nodes that hold data: a reference table has a copy on each (`citus_advisor.nodes`).
    pub nodes: u32,
}

/// 6 % of the load.
pub const FOREIGN_KEY_WORTH: u32 = 600;

/// What is taken for the size of the cluster where nobody said and no cluster is there.
pub const ASSUMED_NODES: u32 = 3;

impl Default for Prices {
    fn default() -> Self {
        Prices { foreign_key_worth: FOREIGN_KEY_WORTH, nodes: ASSUMED_NODES }
    }
}

impl Request {
    /// The arguments that ask for the same again, as SQL: `schemas => ARRAY['a']::name[], overrides => '{...}'`.
    pub fn arguments(&self) -> String {
        let mut arguments = Vec::new();
        if let Some(schemas) = &self.schemas {
            let names: Vec<String> = schemas.iter().map(|s| identifier::quote_literal(s)).collect();
            arguments.push(format!("schemas => ARRAY[{}]::name[]", names.join(", ")));
        }
        if !self.overrides.0.is_empty() {
            let json = serde_json::json!(self.overrides).to_string();
            arguments.push(format!("overrides => {}", identifier::quote_literal(&json)));
        }
        arguments.join(", ")
    }
}

/// Plans the distribution of a database. `tick` is called now and then during long work; it may unwind to cancel.
///
/// # Errors
/// Names in the request that do not exist, or cannot take the role; see [`Error`].
pub fn plan<'a>(graph: &'a Graph<'a>, request: &Request, tick: &mut dyn FnMut()) -> Result<Plan<'a>, Error> {
    search::search(graph, request, tick)
}
