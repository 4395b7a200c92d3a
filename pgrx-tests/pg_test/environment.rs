//! Nothing in the session changes the answer, and the answer changes nothing in the database.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::in_backend::{model, run, table, text};

    const MODEL: &str = "SELECT advisor.schema_model()::text";

    const SHOP: &str =
        "CREATE TABLE public.shop (id bigint PRIMARY KEY, opened timestamptz DEFAULT '2026-01-02 03:04:05+00',
        open interval DEFAULT '1 day 2 hours', path text DEFAULT 'a\\b');
        CREATE TABLE public.sale (id bigserial PRIMARY KEY, shop_id bigint REFERENCES public.shop);
        ANALYZE public.shop, public.sale";

    #[pg_test]
    fn a_read_only_transaction_is_enough_and_gets_no_id() {
        text("SELECT set_config('transaction_read_only', 'on', true)");
        for call in [
            MODEL,
            "SELECT count(*)::text FROM advisor.plan_distribution()",
            "SELECT count(*)::text FROM advisor.plan_distribution(format => 'sql')",
            "SELECT count(*)::text FROM advisor.plan_tables()",
            "SELECT count(*)::text FROM advisor.plan_issues()",
            "SELECT count(*)::text FROM advisor.migration_steps()",
            "SELECT count(*)::text FROM advisor.check_distribution('{}')",
        ] {
            assert!(!text(call).is_empty());
        }
        assert_eq!(text("SELECT (pg_current_xact_id_if_assigned() IS NULL)::text"), "true");
    }

    #[pg_test]
    fn a_hostile_search_path_changes_nothing() {
        run(SHOP);
        let (model, plan) = (text(MODEL), text("SELECT string_agg(l, '|') FROM advisor.plan_distribution() l"));
        run("CREATE FUNCTION public.never(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
             CREATE OPERATOR public.= (leftarg = oid, rightarg = oid, function = public.never);
             CREATE FUNCTION public.never(name, text) RETURNS bool LANGUAGE sql AS 'SELECT false';
             CREATE OPERATOR public.!~ (leftarg = name, rightarg = text, function = public.never);
             CREATE FUNCTION public.format_type(oid, int) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
             CREATE FUNCTION public.pg_get_expr(pg_node_tree, oid) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
             CREATE FUNCTION public.current_schemas(bool) RETURNS name[] LANGUAGE sql AS $$SELECT '{evil}'::name[]$$;
             CREATE FUNCTION public.coalesce(json, json) RETURNS json LANGUAGE sql AS $$SELECT '[]'::json$$;
             CREATE DOMAIN pg_temp.regclass AS text; CREATE DOMAIN pg_temp.int8 AS text;
             CREATE TEMPORARY TABLE pg_class AS SELECT * FROM pg_catalog.pg_class LIMIT 0;
             CREATE TEMPORARY TABLE relation AS SELECT 1 AS oid;
             CREATE TEMPORARY VIEW pg_stats AS SELECT 1 AS evil;
             SET LOCAL search_path = pg_temp, public, pg_catalog");
        let (model_after, plan_after) =
            (text(MODEL), text("SELECT pg_catalog.string_agg(l, '|') FROM advisor.plan_distribution() l"));
        run("SET LOCAL search_path = pg_catalog;
             DROP OPERATOR public.= (oid, oid); DROP OPERATOR public.!~ (name, text)");
        assert_eq!((model_after, plan_after), (model, plan));
    }

    #[pg_test]
    fn the_settings_of_the_session_change_nothing_and_stay() {
        run(SHOP);
        let model = text(MODEL);
        run("SET LOCAL DateStyle = 'German'; SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL IntervalStyle = 'iso_8601';
             SET LOCAL quote_all_identifiers = on; SET LOCAL standard_conforming_strings = off;
             SET LOCAL escape_string_warning = off; SET LOCAL extra_float_digits = -15; SET LOCAL search_path = '';
             SET LOCAL jit_above_cost = 0; SET LOCAL enable_hashjoin = off; SET LOCAL row_security = off");
        assert_eq!(text(MODEL), model);
        assert_eq!(text("SELECT current_setting('DateStyle')"), "German, DMY");
        assert_eq!(text("SELECT current_setting('search_path')"), "\"\"");
    }

    #[pg_test]
    fn a_failed_call_leaves_the_settings_as_they_were() {
        run("SET LOCAL search_path = public");
        let refused = crate::in_backend::refusal("SELECT advisor.schema_model('{nowhere}')");
        assert!(refused.starts_with("3F000|"), "{refused}");
        assert_eq!(text("SELECT current_setting('search_path')"), "public");
    }

    #[pg_test]
    fn a_role_that_owns_nothing_sees_all_but_statistics_and_is_told() {
        run(SHOP);
        run("CREATE ROLE passer_by; SET LOCAL ROLE passer_by");
        let model = model();
        let shop = table(&model, "public.shop");
        assert!(!shop.owned_by_reader && !shop.statistics_readable);
        assert_eq!(shop.columns.len(), 4);
        assert_eq!(
            model.unseen,
            [
                "column statistics of 2 tables (no SELECT privilege, or row security): public.sale, public.shop",
                "last values of 1 sequence (no SELECT or USAGE privilege): public.sale_id_seq",
            ]
        );
        assert!(!text("SELECT string_agg(l, '|') FROM advisor.plan_distribution() l").is_empty());
        assert_ne!(text("SELECT count(*)::text FROM advisor.rules"), "0");
    }

    #[pg_test]
    fn unqualified_names_in_overrides_follow_the_search_path() {
        run("CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.t (id int); CREATE TABLE two.t (id int)");
        let role = "SELECT string_agg(relation || ' ' || role, ', ' ORDER BY relation)
                    FROM advisor.plan_tables(overrides => '{\"t\": {\"role\": \"reference\"}}') WHERE role = 'reference'";
        run("SET LOCAL search_path = two, one");
        assert_eq!(text(role), "two.t reference");
        run("SET LOCAL search_path = one, two");
        assert_eq!(text(role), "one.t reference");
    }

    #[pg_test]
    fn every_function_has_a_comment_and_is_for_everyone() {
        let bare = "SELECT string_agg(p.oid::regprocedure::text, ', ')
                    FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                    JOIN pg_extension e ON e.oid = d.refobjid AND d.deptype = 'e' AND e.extname = 'citus_advisor'
                    WHERE p.pronamespace = 'advisor'::regnamespace
                      AND (obj_description(p.oid, 'pg_proc') IS NULL
                        OR p.provolatile = 'v' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
                          AND p.proname NOT IN ('add_global_unique', 'add_global_foreign_key', 'validate_constraint', 'drop_constraint',
                            'rename_constraint', 'repair_constraints', 'violations', 'rehearse_migration'))";
        assert_eq!(text(bare), "");
    }
}
