//! A plan as ordered statements that turn a populated database into a distributed one.
//!
//! The order is the one that Citus accepts whatever the foreign keys look like: all of them are dropped first, keys are
//! swapped while the tables are still PostgreSQL's own, reference tables come before distributed ones, the foreign keys
//! return last. Each statement is a transaction of its own, guards itself, and does nothing where its work is done: the
//! whole can be cut anywhere and run again, and a second run after success changes nothing.
//!
//! One file per thing that happens: [`guard`] refuses and verifies, [`backfill`] adds and fills columns, [`foreign_keys`],
//! [`checks`], [`keys`] and [`losses`] take away and give back, [`placement`] moves tables, [`notebook`] writes down what must
//! not be forgotten, [`local_tables`] keeps what Citus forgets of tables that stay. [`script`] prints it for psql.
//! [`rollback`] is the way back, [`identity`] what is in its way.

mod backfill;
mod checks;
mod context;
mod foreign_keys;
mod global_keys;
mod guard;
mod identity;
mod keys;
mod local_tables;
mod losses;
mod notebook;
mod placement;
mod rehearsal;
mod rollback;
mod script;
mod sql;
#[cfg(test)]
mod tests;
mod views;

use crate::identifier::RelationName;
use crate::plan::Plan;

use context::Migration;

pub use foreign_keys::declared as foreign_key_definition;
pub use notebook::SCHEMA;
pub use rehearsal::Rehearsal;
pub use rollback::rollback_steps;
pub use script::{rollback_script, script};

/// The part of a migration that a step belongs to; steps are ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Settings, checks, what the user must know before; columns are added and filled.
    Prepare,
    /// Foreign keys, triggers and policies go; tables distributed otherwise come back.
    Drop,
    /// Primary keys and unique indexes are swapped or dropped.
    Keys,
    Reference,
    Distribute,
    /// Foreign keys return.
    Constraints,
    Validate,
    /// The copies that distribution leaves behind are removed.
    Cleanup,
}

impl Phase {
    pub const ALL: [Phase; 8] = [
        Phase::Prepare,
        Phase::Drop,
        Phase::Keys,
        Phase::Reference,
        Phase::Distribute,
        Phase::Constraints,
        Phase::Validate,
        Phase::Cleanup,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Drop => "drop",
            Phase::Keys => "keys",
            Phase::Reference => "reference",
            Phase::Distribute => "distribute",
            Phase::Constraints => "constraints",
            Phase::Validate => "validate",
            Phase::Cleanup => "cleanup",
        }
    }
}

/// One statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub phase: Phase,
    /// The table that it is about, if it is about one.
    pub relation: Option<RelationName>,
    /// One SQL statement with its semicolon, or a comment where something cannot be kept.
    pub statement: String,
    /// Why, in words for a person.
    pub because: String,
}

/// The migration of a plan, in order; empty where everything is in its place.
pub fn steps(plan: &Plan<'_>) -> Vec<Step> {
    let migration = Migration::new(plan);
    if migration.is_done() {
        return Vec::new();
    }
    let mut steps = Vec::new();
    steps.extend(guard::prepare(&migration));
    steps.push(notebook::open(&migration));
    steps.extend(losses::announce(&migration));
    steps.extend(checks::drop_before_filling(&migration));
    steps.extend(backfill::fill(&migration));
    steps.extend(foreign_keys::drop(&migration));
    steps.extend(checks::drop(&migration));
    steps.extend(losses::drop(&migration));
    steps.extend(views::put_aside(&migration));
    steps.extend(placement::undistribute(&migration));
    steps.extend(backfill::not_null(&migration));
    steps.extend(keys::not_null(&migration));
    steps.extend(keys::swap(&migration));
    steps.extend(placement::reference(&migration));
    steps.extend(placement::distribute(&migration));
    steps.push(guard::take_local_tables());
    steps.extend(foreign_keys::create(&migration));
    steps.extend(global_keys::create(&migration));
    steps.extend(checks::create(&migration));
    steps.extend(views::put_back(&migration));
    steps.extend(guard::verify(&migration));
    steps.extend(placement::truncate(&migration));
    steps.push(notebook::close(&migration));
    debug_assert!(steps.is_sorted_by_key(|s| s.phase));
    steps
}
