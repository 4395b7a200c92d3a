//! What the statements of a database do with its tables, as far as a distribution decision can use it: which columns they
//! join, and by which columns they find their rows. Read from `pg_stat_statements`, or written by hand.

pub mod classify;
pub mod edges;
pub mod facts;
pub mod node_tree;
pub mod statement;
pub mod text;

use serde::{Deserialize, Serialize};

use crate::identifier::RelationName;

/// The statements of a database, summed up. Weights are whole numbers of one unit that the reader chooses (microseconds of
/// execution time, or calls); only their parts of [`Workload::total`] count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Weight of all statements together, those without joins and filters, and those that could not be analysed, included.
    pub total: i64,
    /// Sorted; each pair of relations and list of columns once.
    #[serde(default)]
    pub joins: Vec<Join>,
    /// Sorted; each relation and list of columns once.
    #[serde(default)]
    pub filters: Vec<Filter>,
}

/// Statements that join two relations by equality. A statement that joins more has an edge for each pair it joins, each with
/// the statement's full weight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Join {
    /// The smaller name stands left. A partition stands under its partitioned table.
    pub left: RelationName,
    pub right: RelationName,
    /// Raw names of the columns that are equated, (left, right), sorted; never empty. The join stays on a node if any of
    /// these pairs are the distribution columns.
    pub columns: Vec<(String, String)>,
    pub weight: i64,
}

/// Statements that read or write rows of one relation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Filter {
    pub relation: RelationName,
    /// Raw names of the columns that are compared with one value (`= $1`), or that an INSERT gives, sorted. One node
    /// answers if the distribution column is among them. Empty where there is no such filter: every node is asked.
    pub columns: Vec<String>,
    pub weight: i64,
}
