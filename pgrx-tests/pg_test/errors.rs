//! What is refused says so with its SQLSTATE, names the culprit and says what would be right.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::in_backend::{refusal, run, text};

    fn refused(call: &str, code: &str, culprit: &str) {
        let refusal = refusal(call);
        assert!(refusal.starts_with(&format!("{code}|")), "{call}: {refusal}");
        assert!(refusal.contains(culprit), "{call}: {refusal}");
        assert!(refusal.matches('|').count() >= 2, "no hint: {refusal}");
        assert!(!refusal.contains("stack backtrace"), "{refusal}");
    }

    #[pg_test]
    fn refusals_carry_sqlstate_culprit_and_hint() {
        run("CREATE TABLE public.shop (id bigint, name text); CREATE VIEW public.seen AS SELECT 1;
             CREATE TABLE public.part (id int) PARTITION BY LIST (id);
             CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES IN (1)");
        let plan = |overrides: &str| format!("SELECT advisor.plan_distribution(overrides => '{overrides}')");
        let check = |assignment: &str| format!("SELECT * FROM advisor.check_distribution('{assignment}')");
        refused("SELECT advisor.plan_distribution(format => 'yaml')", "22023", "\"yaml\"");
        refused("SELECT advisor.plan_distribution('{nowhere}')", "3F000", "\"nowhere\"");
        refused("SELECT advisor.plan_tables('{public,nowhere}')", "3F000", "\"nowhere\"");
        refused("SELECT advisor.schema_model('{nowhere}')", "3F000", "\"nowhere\"");
        refused("SELECT advisor.schema_model(ARRAY['public', NULL])", "22004", "schemas");
        refused("SELECT advisor.plan_issues(ARRAY[NULL]::name[])", "22004", "schemas");
        refused("SELECT * FROM advisor.check_distribution(NULL)", "22004", "assignment");
        refused(&plan("[]"), "22023", "overrides");
        refused(&plan("null"), "22023", "overrides");
        refused(&plan("{\"shop\": {\"role\": \"boss\"}}"), "22023", "\"boss\"");
        refused(&plan("{\"shop\": {\"role\": \"distributed\"}}"), "22023", "\"shop\"");
        refused(&plan("{\"shp\": {\"role\": \"local\"}}"), "42P01", "\"shp\"");
        refused(&plan("{\"a.b.c.d\": {\"role\": \"local\"}}"), "22023", "\"a.b.c.d\"");
        refused(&plan("{\"nowhere.shop\": {\"role\": \"local\"}}"), "3F000", "\"nowhere\"");
        refused(&plan("{\"shop\": {\"role\": \"distributed\", \"column\": \"idd\"}}"), "42703", "\"idd\"");
        refused(&plan("{\"shop\": {\"role\": 1e999}}"), "22023", "overrides");
        refused(&check("{\"shp\": {\"role\": \"local\"}}"), "42P01", "\"shp\"");
        refused(&check("7"), "22023", "assignment");
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        refused(&plan(&format!("{{\"shop\": {deep}}}")), "22023", "overrides");
    }

    #[pg_test]
    fn null_means_the_default() {
        run("CREATE TABLE public.shop (id bigint)");
        let accepted = [
            "SELECT advisor.schema_model(NULL)",
            "SELECT advisor.plan_distribution(NULL, NULL, NULL)",
            "SELECT advisor.plan_tables(NULL, NULL)",
            "SELECT advisor.plan_issues(NULL, NULL)",
            "SELECT advisor.migration_steps(NULL, NULL)",
        ];
        for call in accepted {
            assert_eq!(refusal(call), "accepted", "{call}");
        }
    }

    #[pg_test]
    fn the_release_to_plan_for_is_a_release() {
        run("CREATE TABLE public.shop (id bigint, at timestamp);
             CREATE STATISTICS public.by_month ON date_trunc('month', at), id FROM public.shop");
        let version = |text: &str| run(&format!("SET LOCAL citus_advisor.citus_version = '{text}'"));
        for wrong in ["banana", "13.2.", "9.5", "13.2-1", "²"] {
            version(wrong);
            refused("SELECT advisor.plan_distribution()", "22023", "\"citus_advisor.citus_version\"");
            refused("SELECT advisor.schema_model()", "22023", wrong);
        }
        let blocked = |release: &str| {
            version(release);
            text(
                "SELECT count(*)::text FROM advisor.check_distribution('{\"shop\": {\"role\": \"reference\"}}')
                 WHERE name = 'statistics-expression'",
            )
        };
        assert_eq!([blocked("13.2.1"), blocked("13.2.2"), blocked("14.0.0"), blocked("")], ["1", "0", "1", "0"]);
        version("14.0.1");
        assert_eq!(text("SELECT advisor.plan_distribution(format => 'json')::jsonb ->> 'citus_version'"), "14.0.1");
    }
}
