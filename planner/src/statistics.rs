//! What ANALYZE knows of a column; the planner's only window on the rows.

use serde::{Deserialize, Serialize};

/// One row of `pg_stats`, as far as a distribution decision can use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// Fraction of rows that are NULL, 0 to 1.
    pub null_fraction: f64,
    /// As in `pg_stats`: positive is a number of distinct values, negative the fraction of rows that are distinct.
    pub n_distinct: f64,
    /// Average width of a value in bytes.
    pub average_width: i32,
    /// Frequency of the most common value, 0 to 1; absent where no value is common.
    pub top_frequency: Option<f64>,
    /// Correlation of value order and row order, -1 to 1; absent for types without an order.
    pub correlation: Option<f64>,
}

impl ColumnStatistics {
    /// Estimated number of distinct values in a table of `rows` rows.
    pub fn distinct_values(&self, rows: i64) -> f64 {
        if self.n_distinct < 0.0 { -self.n_distinct * rows.max(0) as f64 } else { self.n_distinct }
    }
}
