//! What is judged besides a plan: a distribution that is there, findings that a user ignores.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::in_backend::{model, refusal, run, table, text};

    #[pg_test]
    fn there_is_no_distribution_to_judge_without_citus() {
        let refusal = refusal("SELECT * FROM advisor.check_distribution()");
        assert!(refusal.starts_with("55000|Citus is not installed in this database|"), "{refusal}");
    }

    #[pg_test]
    fn ignored_findings_are_not_reported_but_planned_for() {
        run("CREATE TABLE public.parent (id bigint PRIMARY KEY);
             CREATE TABLE public.child (p bigint REFERENCES public.parent, x json)");
        let assignment = r#"'{"child": {"role": "distributed", "column": "x"}}'"#;
        let checked = || {
            text(&format!("SELECT count(*)::text FROM advisor.check_distribution({assignment}) WHERE code = 'CA203'"))
        };
        let planned = || {
            text(&format!(
                "SELECT md5(string_agg(statement, '' ORDER BY step)) FROM advisor.migration_steps(overrides => {assignment})"
            ))
        };
        let (issues, script) = (|| text("SELECT count(*)::text FROM advisor.plan_issues()"), planned());
        let all = issues();
        assert_eq!(checked(), "1");
        run("INSERT INTO advisor.ignored_findings VALUES ('CA203:public.child:x', 'we know')");
        assert_eq!(checked(), "0");
        assert_eq!(issues(), all);
        run("INSERT INTO advisor.ignored_findings SELECT DISTINCT fingerprint, 'all' FROM advisor.plan_issues()");
        assert_eq!(issues(), "0");
        assert_eq!(planned(), script);
        let said = "SELECT line FROM advisor.plan_distribution() AS line WHERE line ~ 'ignored_findings'";
        assert!(text(said).contains("ignored: "), "{}", text(said));
    }

    #[pg_test]
    fn an_ordinary_role_reads_what_is_ignored_and_writes_nothing() {
        run("CREATE ROLE advisor_reader; SET LOCAL ROLE advisor_reader");
        assert_eq!(text("SELECT count(*)::text FROM advisor.ignored_findings"), "0");
        let refusal = refusal("INSERT INTO advisor.ignored_findings VALUES ('a', 'b')");
        assert!(refusal.starts_with("42501|"), "{refusal}");
    }

    #[pg_test]
    fn checks_of_domains_bring_their_operators() {
        run("CREATE FUNCTION public.same(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 OPERATOR(pg_catalog.=) $2';
             CREATE OPERATOR public.### (LEFTARG = int, RIGHTARG = int, FUNCTION = public.same);
             CREATE DOMAIN public.own AS int CHECK (VALUE OPERATOR(public.###) 1);
             CREATE TYPE public.pair AS (a public.own, b text);
             CREATE TABLE public.direct (id bigint, v public.own);
             CREATE TABLE public.inside (id bigint, v public.pair[]);
             CREATE TABLE public.plain (id bigint, v int)");
        let model = model();
        let operators = |name: &str| -> Vec<(String, String)> {
            let found = table(&model, name).dependencies.iter().filter(|d| d.name.contains("###"));
            found.map(|d| (d.via.clone(), d.via_name.clone())).collect()
        };
        assert_eq!(operators("public.direct"), [("column".to_owned(), "v".to_owned())]);
        assert_eq!(operators("public.inside"), [("column".to_owned(), "v".to_owned())]);
        assert!(operators("public.plain").is_empty());
        let message = "SELECT message FROM advisor.check_distribution('{\"direct\": {\"role\": \"reference\"}}')
            WHERE effect = 'blocked'";
        assert!(
            text(message).contains("has dependency on unsupported object \"operator public.###"),
            "{}",
            text(message)
        );
    }

    #[pg_test]
    fn rows_in_the_way_are_counted_in_the_callers_rights() {
        run(r#"CREATE EXTENSION citext;
             CREATE TABLE public."It's" (tenant bigint NOT NULL, id bigint PRIMARY KEY, code citext UNIQUE);
             CREATE TABLE public.child (tenant bigint, id int PRIMARY KEY, own bigint REFERENCES public."It's" (id), code citext,
               whole bigint REFERENCES public."It's" (id) MATCH FULL, price int);
             INSERT INTO public."It's" SELECT i % 3, i, 'X' || i FROM generate_series(1, 10) AS i;
             INSERT INTO public.child VALUES (1, 1, 1, 'x1', 1, 5), (2, 2, 1, 'x2', 2, -5), (NULL, 3, 3, 'zz', NULL, 0),
               (0, 4, NULL, 'x3', NULL, 1);
             ALTER TABLE public.child ADD CONSTRAINT by_code FOREIGN KEY (code) REFERENCES public."It's" (code) NOT VALID;
             ALTER TABLE public.child ADD CONSTRAINT positive CHECK (price > 0) NOT VALID"#);
        let found = || {
            text(
                r#"SELECT string_agg(concat_ws(' ', name, object_name, rows, example), E'\n' ORDER BY name, object_name)
                FROM advisor.check_data('{"\"It''s\"": {"role": "distributed", "column": "tenant"},
                  "child": {"role": "distributed", "column": "tenant"}}')"#,
            )
        };
        let expected = "check-not-valid child 2 (id)=(2)\ndistcol-null-data tenant 1 (id)=(3)\n\
            fk-distcol-missing-or-misplaced child_own_fkey 1 (id)=(2)\nfk-match-full child_whole_fkey 1 (id)=(4)\n\
            fk-not-valid by_code 1 (id)=(3)";
        assert_eq!(found(), expected);
        run("SET search_path = ''; SET DateStyle = 'German'");
        run("RESET search_path");
        assert_eq!(text("SELECT count(*)::text FROM advisor.check_data('{}')"), "0");
        run("CREATE ROLE advisor_stranger; SET LOCAL ROLE advisor_stranger");
        let said = text(
            r#"SELECT string_agg(DISTINCT detail, '|') FROM advisor.check_data('{
            "public.child": {"role": "distributed", "column": "tenant"}}') WHERE rows IS NULL"#,
        );
        assert_eq!(said, "Not checked: this role may not read public.child.");
    }
}
