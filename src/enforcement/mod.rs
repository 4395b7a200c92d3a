//! Keys that stay unique across all tables of a tree. `docs/enforcement.md` has the algorithm and its proof.
//!
//! The way of a row: [`triggers`] is called for it, [`batch`] collects its key, [`unique`] looks at the members
//! and judges. [`key_lock`] has the locks, [`members`] the tree, [`violation`] the error.

mod batch;
pub mod key_lock;
pub mod members;
pub mod triggers;
mod unique;
mod violation;
