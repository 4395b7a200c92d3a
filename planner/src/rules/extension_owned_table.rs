//! See [`RULE`].

use super::{Check, Objection, ObjectType, Report};
use super::rule::declare_rule;
use crate::assignment::Role;
use crate::identifier::quote_identifier;
use crate::layout::{Layout, Target};

declare_rule! {
    /// ## What it is
    ///
    /// An assignment names a table that an extension made (pg_partman, PostGIS, ...).
    ///
    /// ## Why on Citus
    ///
    /// The updates of the extension expect a plain table. Where its tables reference each other, Citus tries to manage
    /// the siblings too and fails halfway.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT create_reference_table('partman.part_config');
    /// ERROR:  relation "part_config_sub" already exists
    /// ```
    ///
    /// ## Use instead
    ///
    /// Leave it local; the planner does. `ALTER EXTENSION ... DROP TABLE ...` makes it an ordinary table, at the price
    /// of the next update.
    ///
    /// ## When to ignore
    ///
    /// Where the table stands alone, is needed on all nodes, and the extension is never updated.
    ///
    /// ## Source
    ///
    /// `commands/alter_table.c:ErrorIfUnsupportedConversion`
    code: "CA111", name: "extension-owned-table", level: Error, effect: Blocked,
    title: "the table belongs to an extension",
    remediation: "Leave it local.",
    source: "commands/alter_table.c:ErrorIfUnsupportedConversion",
    check: Check::Named(walk),
}

fn walk(layout: &Layout<'_>, report: &mut Report<'_>) {
    for named in layout.named.iter().filter(|n| n.entry.role != Role::Local) {
        let Target::ExtensionTable { name, extension } = &named.target else { continue };
        report(name, ObjectType::Table, &name.name, Objection {
            message: format!("table {name} belongs to extension {}", quote_identifier(extension)),
            detail: Some("The extension's own updates expect it to be plain; its siblings are dragged along.".to_owned()),
            hint: Some("Leave it out of the assignment.".to_owned()),
            fix_sql: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{ExtensionTable, RelationName};

    #[test]
    fn leaves_tables_of_extensions_alone() {
        let mut schema = schema([table("t").columns("id bigint")]);
        schema.extension_tables.push(ExtensionTable { name: RelationName::new("public", "cfg"), extension: "pg_partman".into() });
        assert_eq!(found(&schema, "cfg: reference; t: reference", "extension-owned-table"), ["cfg"]);
        assert!(found(&schema, "t: reference", "extension-owned-table").is_empty());
    }
}
