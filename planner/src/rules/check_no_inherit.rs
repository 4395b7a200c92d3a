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
    /// A check constraint `NO INHERIT` belongs to a table that becomes distributed or a reference table.
    ///
    /// ## Why on Citus
    ///
    /// Shards are made with a plain CHECK.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE TABLE part (price int CHECK (price > 0) NO INHERIT);
    /// SELECT create_distributed_table('part', 'shop_id');   -- accepted; the shards have CHECK (price > 0)
    /// ```
    ///
    /// ## Use instead
    ///
    /// Nothing: such a table cannot have children in Citus anyway.
    ///
    /// ## When to ignore
    ///
    /// Nearly always.
    ///
    /// ## Source
    ///
    /// `deparser/citus_ruleutils.c:pg_get_tableschemadef_string`
    code: "CA614", name: "check-no-inherit", level: Warning, effect: Silent,
    title: "NO INHERIT of a check is not kept on the shards",
    remediation: "Drop NO INHERIT for clarity.",
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
    checks.filter(|(_, c)| c.no_inherit && !c.inherited)
}

fn word(layout: &Layout<'_>, case: &TableCase) -> Objection {
    let culprits: Vec<(TableId, &Check)> = culprits(layout, case.table).collect();
    let names: Vec<String> =
        culprits.iter().map(|(t, c)| format!("{} of {}", ident(&c.name), name(layout, *t))).collect();
    Objection {
        message: format!("NO INHERIT of {} is not kept", ident(&culprits[0].1.name)),
        detail: Some(format!("NO INHERIT: {}. Shards have a plain CHECK.", enumerate(&names))),
        hint: Some("A distributed table has no children, so nothing follows from it.".to_owned()),
        fix_sql: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::Check;

    #[test]
    fn tells_of_no_inherit() {
        let check = |no_inherit| Check { name: "c".into(), definition: String::new(), validated: true, no_inherit, inherited: false, comment: None, put_aside: false };
        let with = |no_inherit| schema([table("t").columns("id bigint").with(|t| t.checks.push(check(no_inherit)))]);
        assert_eq!(found(&with(true), "t: reference", "check-no-inherit"), ["t"]);
        assert!(found(&with(false), "t: reference", "check-no-inherit").is_empty());
        assert!(found(&with(true), "", "check-no-inherit").is_empty());
    }
}
