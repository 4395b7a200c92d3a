//! A plan as ordered statements.

use crate::plan::Plan;

/// The script, one line a row.
pub fn script(_plan: &Plan<'_>) -> Vec<String> {
    Vec::new()
}
