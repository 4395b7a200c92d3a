//! `advisor.simulate_shards`: where Citus would put the rows of a table, by hashing them as Citus does.

use citus_planner::identifier::{quote_identifier, quote_literal};
use citus_planner::report::number::{size, thousands};
use citus_planner::schema::RelationName;
use citus_planner::shards::{HashRanges, Sample, Spread};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use crate::error::{Result, notice, null_not_allowed, refusal, refusal_with, report as refuse};
use crate::pg::hash::HashFunction;
use crate::pg::operator_class;
use crate::pg::query::{self, Row, Sees};
use crate::pg::values::{Name, Table};

/// Tables from this size on are announced before they are read.
const LONG_WORK: i64 = 64 * 1024 * 1024;

/// So many rows are read between two notices.
const NOTICE_EACH: u64 = 10_000_000;

const DEFAULT_SHARDS: i32 = 32;

#[pg_extern(stable, parallel_restricted)]
#[allow(clippy::type_complexity)]
fn simulate_shards(
    relation: Option<Table>,
    column_name: Option<Name>,
    shard_count: default!(Option<i32>, "32"),
    sample_rows: default!(Option<i64>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(shard, i32),
            name!(hash_min, i32),
            name!(hash_max, i32),
            name!(rows, i64),
            name!(bytes, i64),
            name!(share, AnyNumeric),
        ),
    >,
> {
    const FORM: &str = "SELECT * FROM advisor.simulate_shards('public.t', 'tenant_id');";
    let relation = relation.ok_or_else(|| null_not_allowed("relation must not be null", FORM))?.0;
    let column_name = column_name.ok_or_else(|| null_not_allowed("column_name must not be null", FORM))?.0;
    let ranges = HashRanges::new(shard_count.unwrap_or(DEFAULT_SHARDS)).map_err(refuse)?;
    let table = Heap::of(relation)?;
    let (column, hash) = distribution_column(relation, &table, &column_name)?;
    let sample = Sample::new(sample_rows, table.rows, table.heap).map_err(refuse)?;
    announce(&table, sample);
    let mut spread = Spread::new(ranges);
    let sql = format!("SELECT {} FROM {}{}", quote_identifier(&column), table.name, sample.clause());
    hash.of_rows(&sql, |hash| {
        spread.count(hash);
        if spread.rows().is_multiple_of(NOTICE_EACH) {
            notice(format!("{}: {} rows read", table.name, thousands(spread.rows() as i64)));
        }
    })?;
    tell(&table, &column_name, &spread, sample);
    let millionth =
        |share: u32| AnyNumeric::try_from(format!("{}.{:06}", share / 1_000_000, share % 1_000_000).as_str());
    let fraction = match sample {
        // What the sample missed by chance does not make the table smaller.
        Sample::Pages { .. } | Sample::Rows { .. } if table.analysed && spread.rows() > 0 && !table.row_security => {
            spread.rows() as f64 / table.rows as f64
        }
        _ => sample.fraction(),
    };
    let shards = spread.shards(fraction, table.bytes);
    let rows = (1..).zip(shards).map(move |(number, s)| {
        (number, s.hash_min, s.hash_max, s.rows, s.bytes, millionth(s.share).unwrap_or_else(|_| AnyNumeric::from(0)))
    });
    Ok(TableIterator::new(rows.collect::<Vec<_>>()))
}

/// A table with all that is below it.
struct Heap {
    name: RelationName,
    rows: i64,
    /// Bytes without indexes and TOAST.
    heap: i64,
    bytes: i64,
    row_security: bool,
    /// `rows` is what ANALYZE counted, not a guess.
    analysed: bool,
}

impl Heap {
    fn of(relation: Oid) -> Result<Self> {
        let missing = || {
            refusal(
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                format!("relation with OID {} does not exist", relation.to_u32()),
            )
        };
        let sql = include_str!("shards.sql").replace("$1", &relation.to_u32().to_string());
        let found = query::rows(&sql, Sees::Statement, 1)?;
        let row: &Row = found.first().ok_or_else(missing)?;
        let name = RelationName::new(row.text(0), row.text(1));
        let kind = match row.text(2).as_str() {
            "r" | "p" => None,
            "f" => {
                Some(("a foreign table", "Citus does not distribute foreign tables; its rows are on another server."))
            }
            "v" => Some(("a view", "Name the table that it reads.")),
            "m" => Some(("a materialized view", "Name the table that it reads.")),
            "S" => Some(("a sequence", "Only tables have rows to distribute.")),
            "i" | "I" => Some(("an index", "Name the table that it belongs to.")),
            "c" => Some(("a composite type", "Only tables have rows to distribute.")),
            _ => Some(("no table", "Only tables have rows to distribute.")),
        };
        match kind {
            Some((kind, hint)) => Err(refusal_with(
                PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
                format!("{name} is {kind}"),
                None,
                Some(hint.to_owned()),
            )),
            None => Ok(Heap {
                name,
                rows: row.number(3),
                heap: row.number(4),
                bytes: row.number(5),
                row_security: row.flag(6),
                analysed: row.flag(7),
            }),
        }
    }
}

/// The column's name as the catalog has it, and the function that hashes it.
fn distribution_column(relation: Oid, table: &Heap, name: &str) -> Result<(String, HashFunction)> {
    let columns = query::rows(
        &format!(
            "SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), coalesce(c.collisdeterministic, true),
               a.atttypid, a.attcollation
             FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
             WHERE a.attrelid = {} AND a.attname = {}::name AND NOT a.attisdropped",
            relation.to_u32(),
            quote_literal(name)
        ),
        Sees::Statement,
        1,
    )?;
    let Some(row) = columns.first() else {
        let existing = query::rows(
            &format!(
                "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = {} AND attnum > 0 \
                 AND NOT attisdropped",
                relation.to_u32()
            ),
            Sees::Statement,
            1,
        )?;
        let existing = existing.first().and_then(|row| row.optional(0));
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!("column \"{name}\" of relation {} does not exist", table.name),
            None,
            existing.map(|names| format!("Its columns are: {names}.")),
        ));
    };
    let column = row.text(0);
    if row.number::<i32>(1) < 0 {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("\"{column}\" is a system column"),
            None,
            Some("Rows are distributed by a column of the table's own.".to_owned()),
        ));
    }
    if !row.flag(3) {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("column \"{column}\" of {} has a nondeterministic collation", table.name),
            Some("Citus: Hash distributed partition columns may not use a non deterministic collation".to_owned()),
            None,
        ));
    }
    let support = operator_class::of_type(row.oid(4));
    let hash = HashFunction::of_type(row.oid(4), row.oid(5));
    let refused = |what: &str| {
        refusal_with(
            PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
            format!(
                "column \"{column}\" of {} cannot be a distribution column: type {} {what}",
                table.name,
                row.text(2)
            ),
            None,
            Some("Citus needs a hash and a btree operator class that are the default of the type.".to_owned()),
        )
    };
    if !support.hash_class || !support.hash_function {
        return Err(refused("has no hash function"));
    }
    let hash = hash.ok_or_else(|| refused("has elements without a hash function"))?;
    if !support.btree_class {
        return Err(refused("has no order"));
    }
    Ok((column, hash))
}

fn announce(table: &Heap, sample: Sample) {
    let read = match sample {
        Sample::Pages { fraction } => (table.heap as f64 * fraction) as i64,
        _ => table.heap,
    };
    if read >= LONG_WORK {
        notice(format!("reading {}, {}, about {} rows", table.name, size(read), thousands(table.rows)));
    }
}

/// What the numbers do not show.
fn tell(table: &Heap, column: &str, spread: &Spread, sample: Sample) {
    let column = quote_identifier(column);
    if spread.nulls > 0 {
        notice(format!(
            "{} of the {} rows read have no {column}: Citus refuses them, they are on no shard",
            thousands(spread.nulls as i64),
            thousands(spread.rows() as i64)
        ));
    }
    if sample != Sample::Whole {
        notice(format!("{} rows read, counted up to the whole table", thousands(spread.rows() as i64)));
    }
    if table.row_security {
        notice(format!(
            "row security is in force: only the rows of {} that this role may see were counted",
            table.name
        ));
    }
}
