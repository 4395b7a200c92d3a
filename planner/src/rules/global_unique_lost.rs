//! See [`RULE`].

use super::rule::declare_rule;
use super::support::ident;
use super::{Check, ObjectType, Objection, Report, Situation};
use crate::global_keys::{UNIQUE, key_columns, unquoted};
use crate::layout::Placement;

declare_rule! {
    /// ## What it is
    ///
    /// A table to be distributed, or made a reference table, has a global unique constraint
    /// (`advisor.add_global_unique`): its trigger keeps a key unique across partitions.
    ///
    /// ## Why on Citus
    ///
    /// Citus refuses tables with triggers (CA501), so the trigger has to go; and a trigger of a shard would see no other
    /// shard. With it goes the guarantee: from then on each partition of each shard is unique for itself, and nothing says
    /// so when a key comes twice.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT advisor.add_global_unique('events', 'event_id');
    /// SELECT create_distributed_table('events', 'tenant_id');
    /// ERROR:  cannot distribute relation "events" because it has triggers
    /// ```
    ///
    /// ## Use instead
    ///
    /// A table of the keys alone, distributed by them, with a primary key: a row and its key are written in one
    /// transaction, and a key that is there already is refused. Where a reference table will do, a native `UNIQUE`.
    ///
    /// ## When to ignore
    ///
    /// Where the keys come from a source that never repeats: one sequence, or random UUIDs.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:EnsureRelationHasNoTriggers`
    code: "CA506", name: "global-unique-lost", level: Warning, effect: Silent,
    title: "a key that is unique across partitions no longer is",
    remediation: "Keep the keys in a table that is distributed by them, and write both in one transaction.",
    source: "commands/create_distributed_table.c:EnsureRelationHasNoTriggers",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    for table in layout.graph.tables() {
        if matches!(layout.placement(table), Placement::Local) {
            continue;
        }
        let t = layout.graph.table(table);
        for trigger in t.triggers.iter().filter(|trigger| trigger.function == UNIQUE) {
            let columns = key_columns(&trigger.definition, "new.");
            let list = columns.join(", ");
            let keys = format!("{}.{}", ident(&t.name.schema), ident(&format!("{}_keys", t.name.name)));
            report(&t.name, ObjectType::Trigger, &trigger.name, Objection {
                message: format!("({list}) of {} will no longer be unique across partitions and shards", t.name),
                detail: Some(format!(
                    "Constraint {} is kept by a trigger, which Citus does not allow on this table. Without it a key can \
                     come twice, unnoticed.",
                    ident(&trigger.name)
                )),
                hint: Some("Keep the keys in a table of their own, distributed by them, and insert into both in one \
                     transaction. Fill it before the table is distributed: it finds keys that are there twice.".to_owned()),
                fix_sql: columns.first().map(|first| {
                    format!(
                        "CREATE TABLE {keys} AS SELECT {list} FROM {} WITH NO DATA;\n\
                         ALTER TABLE {keys} ADD PRIMARY KEY ({list});\n\
                         SELECT create_distributed_table('{}', '{}');\n\
                         INSERT INTO {keys} SELECT {list} FROM {};",
                        t.name,
                        keys.replace('\'', "''"),
                        unquoted(first).replace('\'', "''"),
                        t.name
                    )
                }),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn master(function: &str) -> crate::schema::Schema {
        let table = table("master").columns("id bigint, ts bigint").trigger("master_id_key").with(|t| {
            t.triggers[0].function = function.to_owned();
            t.triggers[0].definition = "CREATE CONSTRAINT TRIGGER master_id_key AFTER INSERT OR UPDATE ON public.master NOT \
                DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((new.id IS NOT NULL)) EXECUTE FUNCTION \
                advisor.check_global_unique('00000000000000aa')"
                .to_owned();
        });
        schema([table])
    }

    #[test]
    fn says_what_becomes_of_the_guarantee() {
        let schema = master(UNIQUE);
        assert_eq!(found(&schema, "master: distributed ts", "global-unique-lost"), ["master.master_id_key"]);
        let finding = one(&schema, "master: distributed ts", "global-unique-lost");
        assert!(finding.fix_sql.unwrap_or_default().contains("ADD PRIMARY KEY (id)"));
    }

    #[test]
    fn is_silent_about_other_triggers_and_local_tables() {
        assert!(found(&master("public.touch"), "master: distributed ts", "global-unique-lost").is_empty());
        assert!(found(&master(UNIQUE), "", "global-unique-lost").is_empty());
    }
}
