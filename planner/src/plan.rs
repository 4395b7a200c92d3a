//! The result that everything else reads: reports, rows, the migration script. Computed once, in `planner::search` and
//! [`Plan`]'s constructor, and never again.

use crate::graph::{ColumnId, EdgeId, TableId};
use crate::layout::Layout;
use crate::rules::Finding;
use crate::schema::ReferentialAction;

/// A plan for a whole database.
pub struct Plan<'a> {
    pub layout: Layout<'a>,
    /// Planned tables (no partitions), sorted by name, limited to the schemas asked for.
    pub tables: Vec<PlannedTable>,
    /// What becomes of every foreign key that touches a planned table, by edge.
    pub foreign_keys: Vec<PlannedForeignKey>,
    /// What becomes of every unique and exclusion index (see `rules::key_indexes`) of distributed tables.
    pub keys: Vec<PlannedKey>,
    /// Triggers, policies, ... that the distribution costs.
    pub lost_objects: Vec<LostObject>,
    /// Every issue of the plan.
    pub findings: Vec<Finding>,
}

pub struct PlannedTable {
    pub table: TableId,
    pub rows: Option<i64>,
    /// Bytes; `None` where unknown.
    pub bytes: Option<i64>,
    /// One sentence that a person can check.
    pub because: String,
}

pub struct PlannedForeignKey {
    pub edge: EdgeId,
    pub fate: ForeignKeyFate,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ForeignKeyFate {
    Kept,
    /// Re-created with the distribution column of both sides in front.
    Widened {
        /// (referencing, referenced), complete.
        columns: Vec<(ColumnId, ColumnId)>,
        on_update: ReferentialAction,
    },
    /// Dropped and not re-created; by the rule with this code.
    Lost {
        code: &'static str,
    },
}

pub struct PlannedKey {
    pub table: TableId,
    /// Position in the table's indexes.
    pub index: usize,
    pub fate: KeyFate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFate {
    Kept,
    /// Re-created with this column in front of the key columns.
    Widened {
        column: ColumnId,
    },
    Lost {
        code: &'static str,
    },
}

pub struct LostObject {
    pub table: TableId,
    pub kind: LostKind,
    /// Raw name.
    pub name: String,
    pub code: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostKind {
    Trigger,
    Policy,
    Rule,
}
