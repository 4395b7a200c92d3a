//! See [`RULE`].

use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};
use super::rule::declare_rule;
use crate::schema::{Column, RelationName};

declare_rule! {
    /// ## What it is
    ///
    /// The default of a column is `nextval('name'::text)`: the name is looked up when a row comes.
    ///
    /// ## Why on Citus
    ///
    /// PostgreSQL then records no dependency on the sequence, so Citus does not find it and does not create it on the
    /// workers.
    ///
    /// ## Example
    ///
    /// ```sql
    /// ALTER TABLE ticket ALTER COLUMN no SET DEFAULT nextval('ticket_no'::text);
    /// -- on a worker:
    /// INSERT INTO ticket ...;
    /// ERROR:  relation "ticket_no" does not exist
    /// ```
    ///
    /// ## Use instead
    ///
    /// `nextval('ticket_no'::regclass)`, which is what `nextval('ticket_no')` means.
    ///
    /// ## When to ignore
    ///
    /// Where rows are only inserted through the coordinator.
    ///
    /// ## Source
    ///
    /// `metadata/metadata_sync.c:GetSequencesFromAttrDef`
    code: "CA604", name: "sequence-text-nextval", level: Warning, effect: Runtime,
    title: "nextval() with text hides the sequence from Citus",
    remediation: "Write the default with regclass.",
    source: "metadata/metadata_sync.c:GetSequencesFromAttrDef",
    check: Check::Layout(walk),
}

fn by_text(column: &Column) -> bool {
    column.sequences.is_empty() && column.default.as_deref().is_some_and(|d| d.contains("nextval("))
}

/// The default with the dependency, where it is nothing but the call.
fn fix(table: &RelationName, column: &Column) -> Option<String> {
    let default = column.default.as_deref()?;
    let literal = default.strip_prefix("nextval((")?.strip_suffix("::text)::regclass)")?;
    Some(format!("ALTER TABLE {table} ALTER COLUMN {} SET DEFAULT nextval({literal}::regclass);", ident(&column.name)))
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.planned_tables().filter(|&t| !layout.is_local(t)) {
        let t = layout.graph.table(table);
        for column in t.columns.iter().filter(|c| by_text(c)) {
            report(&t.name, ObjectType::Column, &column.name, Objection {
                message: format!("the sequence of column {} is not known to Citus", ident(&column.name)),
                detail: Some(format!("The default of {}.{} is {}.", t.name, ident(&column.name), column.default.as_deref().unwrap_or(""))),
                hint: Some("Inserts through a worker fail: the sequence is not there.".to_owned()),
                fix_sql: fix(&t.name, column),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    #[test]
    fn tells_of_late_binding() {
        let schema = schema([
            table("a").columns("no bigint default nextval(('public.s'::text)::regclass)"),
            table("b").columns("no bigint default 7"),
        ]);
        let finding = one(&schema, "a: reference; b: reference", "sequence-text-nextval");
        assert_eq!(
            finding.fix_sql.as_deref(),
            Some("ALTER TABLE public.a ALTER COLUMN no SET DEFAULT nextval('public.s'::regclass);")
        );
        assert!(found(&schema, "b: reference", "sequence-text-nextval").is_empty());
    }
}
