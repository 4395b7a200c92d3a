//! See [`RULE`].

use super::rule::declare_rule;
use super::support::ident;
use super::{Check, Objection, ObjectType, Report, Situation};

declare_rule! {
    /// ## What it is
    ///
    /// A column draws its default from a sequence of another integer type, as it comes about by `ALTER COLUMN ... TYPE`
    /// without `ALTER SEQUENCE`, or by `CREATE SEQUENCE` without `AS`.
    ///
    /// ## Why on Citus
    ///
    /// Citus gives the sequence the type of the column, and with it the bounds of that type.
    ///
    /// ## Example
    ///
    /// ```sql
    /// CREATE SEQUENCE s;
    /// CREATE TABLE a (org_id bigint, id int DEFAULT nextval('s'));
    /// SELECT create_distributed_table('a', 'org_id');
    /// SELECT seqtypid::regtype FROM pg_sequence WHERE seqrelid = 's'::regclass;  -- integer
    /// ```
    ///
    /// ## Use instead
    ///
    /// Nothing: numbers go on where they were. A bigint column gets the whole range of its type by it.
    ///
    /// ## When to ignore
    ///
    /// Always, unless another table or program draws from the same sequence and expects larger numbers.
    ///
    /// ## Source
    ///
    /// `commands/create_distributed_table.c:AlterSequenceType`
    code: "CA621", name: "sequence-type-follows", level: Info, effect: Silent,
    title: "the sequence takes the type of the column that it feeds",
    remediation: "Check that nobody expects numbers beyond the column's type of it.",
    source: "commands/create_distributed_table.c:AlterSequenceType",
    check: Check::Layout(walk),
}

fn walk(situation: &Situation<'_>, report: &mut Report<'_>) {
    let layout = &situation.layout;
    let graph = layout.graph;
    for table in graph.planned_tables().filter(|&t| !layout.is_local(t) || situation.managed[t.0]) {
        let t = graph.table(table);
        for column in t.columns.iter().filter(|c| c.identity.is_none()) {
            let wanted = match column.data_type.as_str() {
                "pg_catalog.int2" => "smallint",
                "pg_catalog.int4" => "integer",
                "pg_catalog.int8" => "bigint",
                _ => continue,
            };
            for name in &column.sequences {
                let Some(sequence) = graph.schema.sequences.iter().find(|s| s.name == *name) else { continue };
                if sequence.data_type != wanted {
                    report(&t.name, ObjectType::Sequence, &name.name, Objection {
                        message: format!("sequence {name} becomes {wanted}, the type of column {}", ident(&column.name)),
                        detail: Some(format!("It is {}, and feeds {}.{}.", sequence.data_type, t.name, ident(&column.name))),
                        hint: None,
                        fix_sql: None,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::schema::{RelationName, Sequence};

    #[test]
    fn compares_the_types() {
        let name = RelationName::new("public", "s");
        let mut schema = schema([table("t").columns("id int, k bigint").with(|t| t.columns[0].sequences = vec![name.clone()])]);
        let sequence = |data_type: &str| Sequence { name: name.clone(), data_type: data_type.into(), owned_by: None, start: 1, increment: 1, last_value: None };
        schema.sequences = vec![sequence("bigint")];
        assert_eq!(found(&schema, "t: distributed k", "sequence-type-follows"), ["t.s"]);
        assert!(found(&schema, "", "sequence-type-follows").is_empty());
        schema.sequences = vec![sequence("integer")];
        assert!(found(&schema, "t: distributed k", "sequence-type-follows").is_empty());
    }
}
