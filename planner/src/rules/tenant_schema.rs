//! See [`RULE`].

use super::rule::declare_rule;
use super::{Check, Objection, TableCase};
use crate::layout::Layout;

declare_rule! {
    /// ## What it is
    ///
    /// The database has one schema a tenant, and something in one of them keeps Citus from distributing the schema as a
    /// whole.
    ///
    /// ## Why on Citus
    ///
    /// All tables of a distributed schema are on one node, so keys and foreign keys inside it stay as they are. In return
    /// nothing may tie it to another: a foreign key may lead to a reference table of a regular schema, and nowhere else.
    /// Inheritance, foreign tables, partitions in other schemas and triggers are refused.
    ///
    /// ## Example
    ///
    /// ```sql
    /// SELECT citus_schema_distribute('tenant_1');
    /// ERROR:  foreign keys from distributed schemas can only point to the same distributed schema or reference tables in
    /// regular schemas
    /// ```
    ///
    /// ## Use instead
    ///
    /// Move tables that tenants share to a schema of their own and make them reference tables; drop what ties two tenants.
    ///
    /// ## When to ignore
    ///
    /// Where the tables are distributed by a column all the same.
    ///
    /// ## Source
    ///
    /// `commands/schema_based_sharding.c:EnsureTenantTable`, `commands/foreign_constraint.c`
    code: "CA119", name: "tenant-schema", level: Warning, effect: Advice,
    title: "a tenant's schema cannot be distributed as a whole",
    remediation: "Cut what ties the schema to others; make shared tables reference tables in a regular schema.",
    source: "commands/schema_based_sharding.c:EnsureTenantTable",
    check: Check::Table { applies, word },
}

/// Never of a layout: it is about another way than distribution columns, and the plan asks it (`tenant_schemas.rs`).
fn applies(_: &Layout<'_>, _: &TableCase) -> bool {
    false
}

fn word(_: &Layout<'_>, _: &TableCase) -> Objection {
    Objection::default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::graph::Graph;
    use crate::schema::Schema;

    fn tenants(count: usize) -> Schema {
        schema((1..=count).map(|tenant| {
            table("t").columns("id bigint, other bigint").with(move |t| t.name.schema = format!("tenant_{tenant}"))
        }))
    }

    fn found(schema: &Schema) -> Vec<String> {
        let graph = Graph::new(schema);
        let plan = crate::plan(&graph, &crate::Request::default(), &mut || {}).unwrap();
        plan.findings.iter().filter(|f| f.name == "tenant-schema").map(|f| f.relation.to_string()).collect()
    }

    #[test]
    fn what_ties_tenants_but_not_tenants_alone() {
        let mut tied = tenants(4);
        assert!(found(&tied).is_empty());
        tied.tables[0].inherits = vec![tied.tables[1].name.clone()];
        assert_eq!(found(&tied), ["tenant_1.t", "tenant_2.t"]);
    }
}
