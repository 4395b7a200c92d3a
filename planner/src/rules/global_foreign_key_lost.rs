//! See [`RULE`].

use super::rule::declare_rule;
use super::support::ident;
use super::{Check, ObjectType, Objection, Report, Situation};
use crate::global_keys::{self, CHECK, Fate};

declare_rule! {
    /// ## What it is
    ///
    /// A table to be distributed, or made a reference table, has a global foreign key (`advisor.add_global_foreign_key`), or
    /// is referenced by one: triggers keep it, on both tables.
    ///
    /// ## Why on Citus
    ///
    /// Citus refuses tables with triggers (CA501), so the triggers of both sides have to go; one that stays on a local table
    /// would look for rows where none are left. With them goes the guarantee, and nothing says so when a row loses what it
    /// references.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT advisor.add_global_foreign_key('stock', 'item', 'items', 'item_id');
    /// SELECT create_distributed_table('stock', 'tenant_id');
    /// ERROR:  cannot distribute relation "stock" because it has triggers
    /// ```
    ///
    /// ## Use instead
    ///
    /// A native foreign key between two tables of one colocation group, both keys widened by the distribution column; the
    /// referenced table needs a unique constraint on them, which on a partitioned table contains the partition key, too. Or
    /// a referenced table that is not partitioned, as a reference table.
    ///
    /// ## When to ignore
    ///
    /// Where referenced rows are never deleted, and referencing ones are only written for rows just read.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationHasNoTriggers`
    code: "CA507", name: "global-foreign-key-lost", level: Warning, effect: Silent,
    title: "a foreign key to a set of partitions no longer holds",
    remediation: "Widen both keys by the distribution column and make the foreign key native, or reference a table that is not partitioned.",
    source: "commands/create_distributed_table.c:EnsureRelationHasNoTriggers",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let keys = global_keys::global_foreign_keys(layout.graph);
    for table in layout.graph.tables() {
        let t = layout.graph.table(table);
        for trigger in t.triggers.iter().filter(|trigger| trigger.function == CHECK) {
            let other = global_keys::other_table(&trigger.definition).unwrap_or("the referenced table");
            let key = keys.iter().find(|key| key.edge.referencing == table && key.declared.name == trigger.name);
            let why = match key.map(|key| global_keys::fate(layout, key)) {
                Some(Fate::Lost { why }) => why,
                // Without its other side; it is not in force already.
                None if !layout.is_local(table) => format!("{other} has lost its triggers"),
                _ => continue,
            };
            report(&t.name, ObjectType::Trigger, &trigger.name, Objection {
                message: format!("rows of {} will no longer be sure to have one in {other}", t.name),
                detail: Some(format!(
                    "Foreign key {} is kept by triggers on both tables, which Citus does not allow on tables it manages, and no \
                     native one can take its place: {why}.",
                    ident(&trigger.name)
                )),
                hint: Some(format!(
                    "The script drops it with advisor.drop_constraint, on both tables. A native foreign key takes its place where \
                     both keys contain the distribution column and the partition key of {other}, and the tables are colocated."
                )),
                fix_sql: Some(global_keys::drop_statement(&t.name, &trigger.name)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn stock() -> crate::schema::Schema {
        let stock = table("stock").columns("item bigint, w int").trigger("stock_item_fkey").with(|t| {
            t.triggers[0].function = CHECK.to_owned();
            t.triggers[0].definition = "CREATE CONSTRAINT TRIGGER stock_item_fkey AFTER INSERT OR UPDATE ON public.stock FROM \
                public.items NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((new.item IS NOT NULL)) EXECUTE FUNCTION \
                advisor.check_global_foreign_key('00000000000000aa', 'simple', 'no action', 'no action')"
                .to_owned();
        });
        let items = table("items").columns("item_id bigint, ts bigint").trigger("stock_item_fkey_referenced").with(|t| {
            t.triggers[0].function = crate::global_keys::REFERENCE.to_owned();
            t.triggers[0].definition = "CREATE CONSTRAINT TRIGGER stock_item_fkey_referenced AFTER DELETE OR UPDATE ON public.items \
                FROM public.stock NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((old.item_id IS NOT NULL)) EXECUTE \
                FUNCTION advisor.check_global_reference('00000000000000aa', 'simple', 'no action', 'no action')"
                .to_owned();
        });
        schema([stock, items])
    }

    #[test]
    fn says_what_becomes_of_the_guarantee_on_either_side() {
        for assignment in ["stock: distributed w", "items: distributed ts"] {
            assert_eq!(found(&stock(), assignment, "global-foreign-key-lost"), ["stock.stock_item_fkey"], "{assignment}");
        }
        let finding = one(&stock(), "stock: distributed w", "global-foreign-key-lost");
        assert!(finding.message.contains("public.items"), "{}", finding.message);
    }

    #[test]
    fn is_silent_where_both_tables_stay() {
        assert!(found(&stock(), "", "global-foreign-key-lost").is_empty());
    }
}
