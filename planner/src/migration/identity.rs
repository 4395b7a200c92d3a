//! Identity columns on the way back: Citus moves no table that has one ("cannot complete operation on a table with
//! identity column"). For the length of the move the column is a plain one, on the coordinator only; then it gets its
//! sequence again, with the counter where it was.

use crate::graph::TableId;
use crate::identifier::{quote_identifier, quote_literal};

use super::context::{Migration, regclass};
use super::notebook::{EVERYWHERE, HERE_ONLY};
use super::sql::Block;

pub(super) fn has_any(migration: &Migration<'_, '_>, table: TableId) -> bool {
    migration.graph.table(table).columns.iter().any(|c| c.identity.is_some())
}

/// Takes the identities off, and what puts them back once the table is PostgreSQL's own.
pub(super) fn taken_off(migration: &Migration<'_, '_>, table: TableId, mut block: Block) -> (Block, Vec<String>) {
    let t = migration.graph.table(table);
    let mut put_back = Vec::new();
    let mut take_off = Vec::new();
    for (n, column) in t.columns.iter().filter(|c| c.identity.is_some()).enumerate() {
        let (name, quoted) = (&t.name, quote_identifier(&column.name));
        block = block
            .declare(&format!("identity_{n} regclass"))
            .declare(&format!("definition_{n} text"))
            .declare(&format!("counter_{n} bigint"))
            .declare(&format!("called_{n} boolean"))
            .run(format!(
                "identity_{n} := pg_get_serial_sequence({}, {})",
                quote_literal(&name.to_string()),
                quote_literal(&column.name)
            ))
            .run(format!("EXECUTE 'SELECT last_value, is_called FROM ' || identity_{n} INTO counter_{n}, called_{n}"))
            .run(format!(
                "SELECT format('GENERATED %s AS IDENTITY (SEQUENCE NAME %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s)',\n    \
                 CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, identity_{n}, seqstart, seqincrement, seqmin, seqmax, seqcache,\n    \
                 CASE WHEN seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) INTO definition_{n}\n    \
                 FROM pg_sequence, pg_attribute WHERE seqrelid = identity_{n} AND attrelid = {} AND attname = {}",
                regclass(name),
                quote_literal(&column.name)
            ));
        take_off.push(format!("ALTER TABLE {name} ALTER COLUMN {quoted} DROP IDENTITY"));
        let alter = quote_literal(&format!("ALTER TABLE {name} ALTER COLUMN {quoted} ADD "));
        put_back.push(format!("EXECUTE {alter} || definition_{n}"));
        put_back.push(format!(
            "PERFORM setval(pg_get_serial_sequence({}, {}), counter_{n}, called_{n})",
            quote_literal(&name.to_string()),
            quote_literal(&column.name)
        ));
    }
    if !take_off.is_empty() {
        block = block.run(HERE_ONLY).run_all(take_off).run(EVERYWHERE);
    }
    (block, put_back)
}
