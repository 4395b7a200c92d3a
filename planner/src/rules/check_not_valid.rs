//! See [`RULE`].

use super::support::{enumerate, ident, name};
use super::{Check as Looks, Objection, TableCase};
use super::rule::declare_rule;
use crate::graph::TableId;
use crate::layout::Layout;
use crate::schema::Check;

declare_rule! {
    /// ## What it is
    ///
    /// A check constraint that was never validated belongs to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Shards are made with a plain CHECK. Rows that violate it make the copy fail; if there are none, the constraint
    /// is enforced as a valid one from then on.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE part ADD CHECK (price > 0) NOT VALID;
    /// SELECT create_distributed_table('part', 'shop_id');
    /// ERROR:  new row for relation "part_102040" violates check constraint "part_price_check"
    /// ```
    ///
    /// ## Use instead
    ///
    /// Validate it before; or drop it and add it NOT VALID afterwards.
    ///
    /// ## When to ignore
    ///
    /// Where no row violates it.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tableschemadef_string`
    code: "CA613", name: "check-not-valid", level: Warning, effect: Data,
    title: "a NOT VALID check becomes a valid one on the shards",
    remediation: "Validate it before, or drop it and add it NOT VALID afterwards.",
    source: "deparser/citus_ruleutils.c:pg_get_tableschemadef_string",
    check: Looks::Table { applies, word },
}

fn applies(layout: &Layout<'_>, case: &TableCase) -> bool {
    !layout.is_local(case.table) && culprits(layout, case.table).next().is_some()
}

fn culprits<'a>(layout: &Layout<'a>, table: TableId) -> impl Iterator<Item = (TableId, &'a Check)> + use<'a> {
    let graph = layout.graph;
    let family = std::iter::once(table).chain(graph.descendants(table));
    let checks = family.flat_map(move |t| graph.table(t).checks.iter().map(move |c| (t, c)));
    checks.filter(|(_, c)| !c.validated && !c.inherited)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let culprits: Vec<(TableId, &Check)> = culprits(layout, case.table).collect();
    let names: Vec<String> =
        culprits.iter().map(|(t, c)| format!("{} of {}", ident(&c.name), name(layout, *t))).collect();
    Objection {
        message: format!("new row for relation \"{}\" violates check constraint \"{}\"", name(layout, culprits[0].0).name, culprits[0].1.name),
        detail: Some(format!("Never validated: {}. The shards have it as a valid constraint, so the copy fails at the first row that violates it.", enumerate(&names))),
        hint: Some("Mend such rows and validate.".to_owned()),
        fix_sql: Some(culprits.iter().map(|(t, c)| format!("ALTER TABLE {} VALIDATE CONSTRAINT {};", name(layout, *t), ident(&c.name))).collect::<Vec<_>>().join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    fn schema_with(validated: bool) -> crate::schema::Schema {
        let check =
            Check { name: "c".into(), definition: "CHECK (id > 0)".into(), validated, no_inherit: false, inherited: false, comment: None, put_aside: false };
        schema([table("t").columns("id bigint").with(|t| t.checks.push(check))])
    }
    use crate::schema::Check;

    #[test]
    fn tells_of_checks_never_validated() {
        let finding = one(&schema_with(false), "t: reference", "check-not-valid");
        assert_eq!(finding.fix_sql.as_deref(), Some("ALTER TABLE public.t VALIDATE CONSTRAINT c;"));
        assert!(found(&schema_with(true), "t: reference", "check-not-valid").is_empty());
        assert!(found(&schema_with(false), "", "check-not-valid").is_empty());
    }
}
