//! Citus' hash ranges, and how rows spread over them.
//!
//! Citus cuts the signed 32-bit hash range into pieces of equal width; the last one takes the remainder
//! (`CreateShardsWithRoundRobinPolicy`, `CalculateUniformHashRangeIndex`).

use crate::error::{Error, ErrorKind};

/// What Citus allows for `shard_count`.
pub const MOST_SHARDS: i32 = 64_000;

/// The hash ranges of a distributed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashRanges {
    count: u32,
}

impl HashRanges {
    /// # Errors
    /// 22023 for a number of shards that Citus does not allow.
    pub fn new(shard_count: i32) -> Result<Self, Error> {
        match u32::try_from(shard_count) {
            Ok(count) if (1..=MOST_SHARDS).contains(&shard_count) => Ok(HashRanges { count }),
            _ => Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("{shard_count} is outside the valid range for shard_count (1 .. {MOST_SHARDS})"),
            )
            .hint("Citus creates 32 shards where nothing else is said.")),
        }
    }

    pub fn count(self) -> usize {
        self.count as usize
    }

    fn width(self) -> i64 {
        (1 << 32) / i64::from(self.count)
    }

    /// First and last hash of a shard, counted from 0.
    pub fn range(self, shard: usize) -> (i32, i32) {
        let first = i64::from(i32::MIN) + shard as i64 * self.width();
        let last = if shard + 1 == self.count() { i64::from(i32::MAX) } else { first + self.width() - 1 };
        // Both are inside by construction.
        (first as i32, last as i32)
    }

    /// The shard of a hash, counted from 0.
    pub fn shard(self, hash: i32) -> usize {
        let place = (i64::from(hash) - i64::from(i32::MIN)) / self.width();
        (place as usize).min(self.count() - 1)
    }
}

/// How rows spread over shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    pub ranges: HashRanges,
    /// Rows counted in each shard.
    counted: Vec<u64>,
    /// Rows without a value: Citus refuses them.
    pub nulls: u64,
}

/// A shard as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub hash_min: i32,
    pub hash_max: i32,
    pub rows: i64,
    pub bytes: i64,
    /// Millionths of all rows.
    pub share: u32,
}

impl Spread {
    pub fn new(ranges: HashRanges) -> Self {
        Spread { ranges, counted: vec![0; ranges.count()], nulls: 0 }
    }

    /// Counts a row by its hash; one without a value belongs to no shard.
    pub fn count(&mut self, hash: Option<i32>) {
        match hash {
            Some(hash) => self.counted[self.ranges.shard(hash)] += 1,
            None => self.nulls += 1,
        }
    }

    /// Rows counted so far, those without a value included.
    pub fn rows(&self) -> u64 {
        self.counted.iter().sum::<u64>() + self.nulls
    }

    /// The shards in the order of their ranges. `fraction` is the part of the table that was counted, `bytes` the size of the
    /// whole table: a shard gets the part of it that it has of the rows.
    pub fn shards(&self, fraction: f64, bytes: i64) -> Vec<Shard> {
        let placed: u64 = self.counted.iter().sum();
        let part = |whole: i64, rows: u64, of: u64| {
            if of == 0 { 0 } else { ((whole as i128 * rows as i128 + of as i128 / 2) / of as i128) as i64 }
        };
        let shard = |(shard, &rows): (usize, &u64)| {
            let (hash_min, hash_max) = self.ranges.range(shard);
            Shard {
                hash_min,
                hash_max,
                rows: (rows as f64 / fraction).round() as i64,
                bytes: part(bytes, rows, self.rows()),
                share: part(1_000_000, rows, placed) as u32,
            }
        };
        self.counted.iter().enumerate().map(shard).collect()
    }
}

/// How much of a table to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    Whole,
    /// A part of the pages: what a large table affords.
    Pages {
        fraction: f64,
    },
    /// A part of the rows of all pages: pages are too few to choose among.
    Rows {
        fraction: f64,
    },
}

/// Tables from this size on are sampled by pages.
const LARGE: i64 = 64 * 1024 * 1024;

impl Sample {
    /// `rows`: how many rows the table has, as far as known; `heap`: its bytes without indexes.
    ///
    /// # Errors
    /// 22023 for a sample of no rows.
    pub fn new(wanted: Option<i64>, rows: i64, heap: i64) -> Result<Self, Error> {
        let Some(wanted) = wanted else { return Ok(Sample::Whole) };
        if wanted < 1 {
            return Err(Error::new(ErrorKind::InvalidParameter, "sample_rows must be at least 1")
                .detail(format!("It is {wanted}."))
                .hint("Leave sample_rows out, or make it NULL, to read the whole table."));
        }
        if wanted >= rows {
            return Ok(Sample::Whole);
        }
        let fraction = wanted as f64 / rows as f64;
        Ok(if heap < LARGE { Sample::Rows { fraction } } else { Sample::Pages { fraction } })
    }

    /// The part of the table that is read.
    pub fn fraction(self) -> f64 {
        match self {
            Sample::Whole => 1.0,
            Sample::Pages { fraction } | Sample::Rows { fraction } => fraction,
        }
    }

    /// ` TABLESAMPLE ...`: the same pages or rows each time, as long as nobody writes.
    pub fn clause(self) -> String {
        let method = match self {
            Sample::Whole => return String::new(),
            Sample::Pages { .. } => "system",
            Sample::Rows { .. } => "bernoulli",
        };
        format!(" TABLESAMPLE pg_catalog.{method} ({:.12}) REPEATABLE (0)", self.fraction() * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_tile_the_hash_space() {
        for count in [1, 2, 3, 7, 31, 32, 48, 100, 4_096, 63_999, MOST_SHARDS] {
            let ranges = HashRanges::new(count).unwrap();
            assert_eq!(ranges.range(0).0, i32::MIN);
            assert_eq!(ranges.range(ranges.count() - 1).1, i32::MAX);
            for shard in 0..ranges.count() {
                let (first, last) = ranges.range(shard);
                assert_eq!((ranges.shard(first), ranges.shard(last)), (shard, shard));
                if shard > 0 {
                    assert_eq!(i64::from(ranges.range(shard - 1).1) + 1, i64::from(first));
                }
            }
        }
    }

    #[test]
    fn ranges_are_those_of_citus() {
        // SELECT shardminvalue, shardmaxvalue FROM pg_dist_shard, of a table with 7 shards (Citus 13.2).
        let ranges = HashRanges::new(7).unwrap();
        assert_eq!(ranges.range(0), (-2_147_483_648, -1_533_916_893));
        assert_eq!(ranges.range(3), (-306_783_380, 306_783_375));
        assert_eq!(ranges.range(6), (1_533_916_888, 2_147_483_647));
    }

    #[test]
    fn other_numbers_are_refused() {
        for count in [0, -1, 64_001, i32::MIN, i32::MAX] {
            assert_eq!(HashRanges::new(count).unwrap_err().kind, ErrorKind::InvalidParameter);
        }
        assert!(Sample::new(Some(0), 10, 10).is_err());
    }

    #[test]
    fn shares_are_of_the_rows_that_have_a_place() {
        let mut spread = Spread::new(HashRanges::new(2).unwrap());
        for hash in [Some(-1), Some(0), Some(1), Some(i32::MAX), None] {
            spread.count(hash);
        }
        let shards = spread.shards(0.1, 1_000);
        assert_eq!((shards[0].rows, shards[0].share, shards[0].bytes), (10, 250_000, 200));
        assert_eq!((shards[1].rows, shards[1].share, shards[1].bytes), (30, 750_000, 600));
        assert_eq!(spread.rows(), 5);
    }

    #[test]
    fn small_tables_are_sampled_by_rows() {
        assert_eq!(Sample::new(Some(100), 50, 1 << 40).unwrap(), Sample::Whole);
        assert_eq!(
            Sample::new(Some(1), 4, 8_192).unwrap().clause(),
            " TABLESAMPLE pg_catalog.bernoulli (25.000000000000) REPEATABLE (0)"
        );
        assert!(matches!(Sample::new(Some(1), 4, LARGE).unwrap(), Sample::Pages { .. }));
    }
}
