//! See [`RULE`].

use std::collections::{BTreeMap, BTreeSet};

use super::support::enumerate;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::identifier::quote_identifier;
use crate::schema::RelationName;

declare_rule! {
    /// ## What it is
    ///
    /// A table that becomes distributed or a reference table uses types, functions or operators of an extension.
    ///
    /// ## Why on Citus
    ///
    /// Citus creates the extension on the workers, in the same version, as soon as a table needs it. Its files must be
    /// installed there.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_distributed_table('mailbox', 'address');   -- citext
    /// ERROR:  could not open extension control file "/usr/share/postgresql/15/extension/citext.control": No such file or directory
    /// ```
    ///
    /// ## Use instead
    ///
    /// Install the package of the extension on every node first.
    ///
    /// ## When to ignore
    ///
    /// Where all nodes are set up alike.
    ///
    /// ## Source
    ///
    /// `commands/extension.c:PostprocessCreateExtensionStmt`
    code: "CA618", name: "extension-on-workers", level: Info, effect: Runtime,
    title: "an extension must be installed on every node",
    remediation: "Install its package on every node first.",
    source: "commands/extension.c:PostprocessCreateExtensionStmt",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let graph = layout.graph;
    let mut users: BTreeMap<&str, Vec<&RelationName>> = BTreeMap::new();
    for table in graph.tables().filter(|&t| !layout.is_local(t)) {
        let t = graph.table(table);
        let types = t.columns.iter().filter_map(|c| graph.data_type(&c.data_type)?.extension.as_deref());
        let others = t.dependencies.iter().filter_map(|d| d.extension.as_deref());
        let found: BTreeSet<&str> = types.chain(others).chain(t.access_method_extension.as_deref()).collect();
        for extension in found.into_iter().filter(|e| !["plpgsql", "citus"].contains(e)) {
            users.entry(extension).or_default().push(&t.name);
        }
    }
    // One row for all: which nodes have which packages is one question.
    let Some(first) = users.values().filter_map(|tables| tables.first()).min() else { return };
    let names: Vec<String> = users.keys().map(|e| quote_identifier(e)).collect();
    let of_each: Vec<String> = users
        .iter()
        .map(|(extension, tables)| {
            let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
            format!("{} is used by {}", quote_identifier(extension), enumerate(&tables))
        })
        .collect();
    report(
        first,
        ObjectType::Table,
        &first.name,
        Objection {
            message: format!("extensions must be installed on every node: {}", names.join(", ")),
            detail: Some(format!("{}.", of_each.join("; "))),
            hint: Some("Citus creates them on the workers; their files must be there.".to_owned()),
            fix_sql: None,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn names_each_extension_with_its_tables() {
        let mut schema = schema([table("a").columns("x public.citext"), table("b").columns("x public.citext")]);
        schema.types.get_mut("public.citext").unwrap().extension = Some("citext".into());
        let finding = one(&schema, "a: reference; b: reference", "extension-on-workers");
        assert_eq!(finding.detail.as_deref(), Some("citext is used by public.a and public.b."));
        assert!(found(&schema, "", "extension-on-workers").is_empty());
    }
}
