//! Every kind of object arrives in the model as it is in the database.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use citus_planner::schema::*;
    use pgrx::prelude::*;

    use crate::in_backend::{model, run, table, text};

    const EVERYTHING: &str = include_str!("everything.sql");

    fn name(name: &str) -> RelationName {
        RelationName::new("shop", name)
    }

    fn column<'a>(table: &'a Table, name: &str) -> &'a Column {
        table.columns.iter().find(|c| c.name == name).unwrap()
    }

    fn index<'a>(table: &'a Table, name: &str) -> &'a Index {
        table.indexes.iter().find(|i| i.name == name).unwrap()
    }

    fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
        names.into_iter().map(String::as_str).collect()
    }

    #[pg_test]
    fn the_model_survives_its_own_json() {
        run(EVERYTHING);
        let model = model();
        let again: Schema = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(model, again);
        assert_eq!(text("SELECT advisor.schema_model()::text"), text("SELECT advisor.schema_model()::text"));
        assert_eq!(model.model_version, MODEL_VERSION);
        assert!(model.tables.is_sorted_by_key(|t| &t.name));
    }

    #[pg_test]
    fn columns_types_and_sequences() {
        run(EVERYTHING);
        let model = model();
        let customer = table(&model, "shop.customer");
        assert_eq!(customer.comment.as_deref(), Some("who buys"));
        assert_eq!(customer.replica_identity, ReplicaIdentity::Full);
        let id = column(customer, "id");
        assert_eq!(id.identity, Some(Identity::Always));
        assert_eq!(id.sequences, [name("customer_id_seq")]);
        assert_eq!(id.data_type, "pg_catalog.int8");
        assert_eq!(column(customer, "name").collation.as_ref().unwrap().name, "shop.ignore_case");
        assert!(!column(customer, "name").collation.as_ref().unwrap().deterministic);
        assert_eq!(column(customer, "shout").generated, Some(Generated::Stored));
        let code = column(customer, "code");
        assert_eq!(code.type_text, "character varying(20)");
        assert_eq!(code.type_modifier, 24);
        assert_eq!(names(&code.options), ["n_distinct=1000"]);
        assert_eq!(code.comment.as_deref(), Some("as printed"));
        assert!(column(customer, "mood").options.is_empty());
        assert_eq!(column(customer, "ticket").sequences, [name("ticket")]);
        assert_eq!(column(customer, "ticket").default.as_deref(), Some("nextval('shop.ticket'::regclass)"));
        assert!(column(table(&model, "shop.quote"), "t").sequences.is_empty());

        let of = |key: &str| &model.types[key];
        assert_eq!(of("shop.email").kind, TypeKind::Domain);
        assert_eq!(of("shop.email").inner.as_deref(), Some("pg_catalog.text"));
        assert!(of("shop.email").hash_class && of("shop.email").user_made && of("shop.email").not_null);
        assert_eq!(of("shop.mood").kind, TypeKind::Enum);
        assert_eq!(of("shop._address").kind, TypeKind::Array);
        assert_eq!(of("shop._address").inner.as_deref(), Some("shop.address"));
        assert_eq!(names(&of("shop.address").fields), ["pg_catalog.text", "pg_catalog.\"varchar\""]);
        assert_eq!(of("shop.span").kind, TypeKind::Range);
        assert_eq!(of("shop.plain").row_type_of, Some(name("plain")));
        assert_eq!(table(&model, "shop.typed").of_type.as_deref(), Some("shop.address"));

        let sequence = |n: &str| model.sequences.iter().find(|s| s.name == name(n)).unwrap();
        assert_eq!((sequence("ticket").start, sequence("ticket").increment), (5, 2));
        assert_eq!(sequence("ticket").data_type, "integer");
        assert_eq!(sequence("ticket").last_value, None);
        let owner = sequence("purchase_id_seq").owned_by.clone().unwrap();
        assert_eq!((owner.relation, owner.column.as_str()), (name("purchase"), "id"));
        run("SELECT nextval('shop.ticket'), nextval('shop.ticket')");
        let model = crate::in_backend::model();
        assert_eq!(model.sequences.iter().find(|s| s.name == name("ticket")).unwrap().last_value, Some(7));
    }

    #[pg_test]
    fn keys_and_indexes() {
        run(EVERYTHING);
        let model = model();
        let customer = table(&model, "shop.customer");
        assert_eq!(index(customer, "customer_pkey").constraint.as_ref().unwrap().kind, ConstraintKind::PrimaryKey);
        assert!(index(customer, "customer_code_key").nulls_not_distinct);
        let partial = index(customer, "customer_name");
        assert!(partial.unique && partial.constraint.is_none());
        assert_eq!(partial.predicate.as_deref(), Some("(code IS NOT NULL)"));
        assert_eq!(partial.columns[0].column, None);
        assert_eq!(partial.columns[0].text, "lower((code)::text)");
        assert_eq!(partial.columns[0].operator_class.as_deref(), Some("pg_catalog.text_pattern_ops"));
        assert!(partial.columns[0].descending && partial.columns[0].nulls_first);
        assert_eq!(partial.columns[1].column.as_deref(), Some("id"));
        assert_eq!((partial.columns[2].column.as_deref(), partial.columns[2].key), (Some("mood"), false));
        let fill = index(customer, "customer_fill");
        assert!(fill.clustered && !partial.clustered);
        assert_eq!(names(&fill.options), ["fillfactor=70"]);
        // varchar is indexed by text's class: its default, though not its own.
        assert_eq!(index(customer, "customer_code_key").columns[0].operator_class, None);

        let exclusion = index(table(&model, "shop.booking"), "no_overlap");
        assert_eq!(exclusion.constraint.as_ref().unwrap().kind, ConstraintKind::Exclusion);
        assert_eq!(exclusion.method, "gist");
        assert_eq!(exclusion.columns[0].exclusion_operator.as_deref(), Some("pg_catalog.&&"));
        assert!(!exclusion.columns[0].exclusion_equality);
        assert_eq!(exclusion.columns[1].exclusion_operator.as_deref(), Some("pg_catalog.="));
        assert!(exclusion.columns[1].exclusion_equality);

        assert_eq!(index(table(&model, "shop.purchase"), "purchase_at").parent, None);
        let leaf = table(&model, "shop.purchase_rest");
        assert_eq!(index(leaf, "purchase_rest_at_idx").parent.as_deref(), Some("purchase_at"));
        assert_eq!(index(leaf, "purchase_rest_pkey").parent.as_deref(), Some("purchase_pkey"));
    }

    #[pg_test]
    fn foreign_keys_and_checks() {
        run(EVERYTHING);
        let model = model();
        let [customer, other] = &table(&model, "shop.purchase").foreign_keys[..] else { panic!() };
        assert_eq!(customer.name, "purchase_customer");
        assert_eq!((&customer.referenced, names(&customer.columns)), (&name("customer"), vec!["customer_id"]));
        assert_eq!(names(&customer.referenced_columns), ["id"]);
        assert_eq!((customer.on_delete, customer.on_update), (ReferentialAction::SetNull, ReferentialAction::Cascade));
        assert_eq!(names(&customer.on_delete_columns), ["customer_id"]);
        assert!(customer.deferrable && customer.initially_deferred && customer.validated && customer.enforced);
        assert_eq!(customer.referenced_index.as_deref(), Some("customer_pkey"));
        assert_eq!((other.match_type, other.on_delete), (MatchType::Full, ReferentialAction::NoAction));
        assert!(table(&model, "shop.purchase_2026").foreign_keys.is_empty());
        assert!(table(&model, "shop.purchase_2026_0").foreign_keys.is_empty());
        assert!(!table(&model, "shop.booking").foreign_keys[0].validated);

        let checks = &table(&model, "shop.customer").checks;
        assert_eq!(checks.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["code_not_empty", "mood_set"]);
        assert!(checks[0].no_inherit && checks[0].validated && !checks[1].validated);
    }

    #[pg_test]
    fn partitions_and_inheritance() {
        run(EVERYTHING);
        let model = model();
        let root = table(&model, "shop.purchase");
        assert_eq!((root.kind, root.persistence), (TableKind::Partitioned, Persistence::Unlogged));
        let key = root.partition_key.as_ref().unwrap();
        assert_eq!((key.strategy.as_str(), key.columns.clone()), ("range", vec![Some("at".to_owned())]));
        let middle = table(&model, "shop.purchase_2026");
        assert_eq!(middle.partition_of, Some(name("purchase")));
        assert_eq!(
            middle.partition_bound.as_deref(),
            Some("FOR VALUES FROM ('2026-01-01 00:00:00') TO ('2027-01-01 00:00:00')")
        );
        assert_eq!(table(&model, "shop.purchase_2026_0").partition_of, Some(name("purchase_2026")));
        assert_eq!(table(&model, "shop.purchase_rest").partition_bound.as_deref(), Some("DEFAULT"));
        assert_eq!(table(&model, "shop.heir").inherits, [name("plain")]);
        assert_eq!(table(&model, "shop.heir").partition_of, None);
    }

    #[pg_test]
    fn triggers_rules_policies_and_statistics() {
        run(EVERYTHING);
        let model = model();
        assert_eq!(table(&model, "shop.purchase").triggers[0].function, "shop.touch");
        assert!(table(&model, "shop.purchase_rest").triggers.is_empty(), "clones are left out");
        let plain = table(&model, "shop.plain");
        assert_eq!((plain.triggers.len(), plain.triggers[0].enabled.as_str()), (1, "D"));
        assert_eq!(plain.rules[0].name, "quiet");
        assert!(plain.row_security && !plain.force_row_security);
        let [own, small] = &plain.policies[..] else { panic!() };
        assert!(own.subquery && !small.subquery);
        assert_eq!(
            small.definition,
            "CREATE POLICY small ON shop.plain AS RESTRICTIVE FOR ALL TO PUBLIC USING ((id < 10)) WITH CHECK ((id < 5))"
        );
        let statistics = &table(&model, "shop.customer").statistics_objects[0];
        assert_eq!(statistics.name, name("customer_stats"));
        assert!(!statistics.expressions);
    }

    #[pg_test]
    fn definitions_of_indexes_are_what_postgresql_says() {
        run(EVERYTHING);
        run("CREATE TABLE shop.\"Odd \"\"table\" (\"Id \"\"x\" int, t text, c text COLLATE \"C\", n numeric, v varchar(9), a int[]);
             CREATE INDEX \"Odd 1\" ON shop.\"Odd \"\"table\" (\"Id \"\"x\" DESC, t NULLS FIRST, n DESC NULLS LAST, v);
             CREATE UNIQUE INDEX ON shop.\"Odd \"\"table\" (c, a);
             CREATE UNIQUE INDEX ON shop.\"Odd \"\"table\" (n) NULLS NOT DISTINCT;
             CREATE INDEX ON shop.\"Odd \"\"table\" (c COLLATE \"POSIX\");
             CREATE INDEX ON shop.\"Odd \"\"table\" (t text_pattern_ops, v varchar_pattern_ops);
             CREATE INDEX ON shop.\"Odd \"\"table\" USING hash (n);
             CREATE INDEX ON shop.\"Odd \"\"table\" USING gin (a);
             CREATE INDEX ON shop.\"Odd \"\"table\" (n) INCLUDE (t);
             CREATE INDEX ON shop.\"Odd \"\"table\" ((n + 1), n) WHERE n > 0;
             SET LOCAL search_path = pg_catalog");
        let mut seen = 0;
        for index in model().tables.iter().flat_map(|t| t.indexes.iter().map(move |i| (t, i))) {
            let (table, index) = index;
            let named = RelationName::new(table.name.schema.clone(), index.name.clone()).to_string();
            assert_eq!(
                index.definition,
                text(&format!("SELECT pg_get_indexdef('{}'::regclass)", named.replace('\'', "''")))
            );
            seen += 1;
        }
        assert!(seen > 15, "{seen}");
    }

    #[pg_test]
    fn definitions_of_constraints_are_what_postgresql_says() {
        run(EVERYTHING);
        run("CREATE TABLE shop.\"Odd \"\"one\" (\"Id \"\"x\" int, t text, PRIMARY KEY (t, \"Id \"\"x\") DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE shop.odd_two (a int UNIQUE, b int, c int, d text, e int UNIQUE DEFERRABLE,
                 UNIQUE NULLS NOT DISTINCT (b), UNIQUE (c) INCLUDE (d), UNIQUE (c, b) WITH (fillfactor = 70),
                 UNIQUE (b, c), EXCLUDE USING btree (d WITH =));
             CREATE TABLE shop.\"select\" (a int CONSTRAINT one REFERENCES shop.odd_two (a) ON UPDATE CASCADE ON DELETE SET NULL
                 DEFERRABLE, b int, c int, CONSTRAINT \"2\" FOREIGN KEY (c, b) REFERENCES shop.odd_two (c, b) MATCH FULL
                 ON DELETE RESTRICT INITIALLY DEFERRED, CONSTRAINT \"Three\" FOREIGN KEY (b, c) REFERENCES shop.odd_two (b, c)
                 ON DELETE SET DEFAULT (c));
             ALTER TABLE shop.\"select\" ADD CONSTRAINT four FOREIGN KEY (c) REFERENCES shop.odd_two (b) NOT VALID;
             SET LOCAL search_path = pg_catalog");
        let mut seen = 0;
        for table in &model().tables {
            let keys = table.foreign_keys.iter().map(|f| (&f.name, &f.definition));
            let indexes = table.indexes.iter().filter_map(|i| i.constraint.as_ref()).map(|c| (&c.name, &c.definition));
            for (name, definition) in keys.chain(indexes) {
                let (relation, name) = (table.name.to_string().replace('\'', "''"), name.replace('\'', "''"));
                let told = text(&format!(
                    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{relation}'::regclass AND conname = '{name}'"
                ));
                assert_eq!(*definition, told);
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen}");
    }

    #[pg_test]
    fn dependencies_lead_to_tables_and_types() {
        run(EVERYTHING);
        let model = model();
        let has = |t: &str, kind, dependency: &str, via: &str| {
            let found = &table(&model, t).dependencies;
            assert!(found.iter().any(|d| d.kind == kind && d.name == dependency && d.via == via), "{t}: {found:?}");
        };
        has("shop.quote", DependencyKind::Function, "shop.price_of(shop.plain)", "default");
        has("shop.quote", DependencyKind::Table, "shop.plain", "default");
        has("shop.quote", DependencyKind::Table, "shop.plain", "column");
        has("shop.customer", DependencyKind::UnsupportedType, "shop.span", "column");
        has("shop.plain", DependencyKind::Table, "shop.booking", "policy");
        assert!(table(&model, "shop.booking").dependencies.is_empty());
    }

    #[pg_test]
    fn views_and_publications() {
        run(EVERYTHING);
        let model = model();
        let view = |n: &str| model.views.iter().find(|v| v.name == name(n)).unwrap();
        assert_eq!(view("v").reads, [name("plain"), name("quote")]);
        assert!(view("m").materialized && view("m").bytes.is_some());
        assert_eq!(view("m").reads, [name("v")]);
        let publication = |n: &str| model.publications.iter().find(|p| p.name == n).unwrap();
        assert_eq!(publication("plain_only").tables, [name("heir"), name("plain")]);
        assert!(publication("schema_wide").tables.contains(&name("customer")));
    }

    #[pg_test]
    fn tables_of_extensions_and_temporary_ones_are_left_out() {
        run(EVERYTHING);
        run("CREATE TABLE public.config (id int PRIMARY KEY); ALTER EXTENSION citus_advisor ADD TABLE public.config;
             CREATE TABLE public.uses_it (id int REFERENCES public.config)");
        let model = model();
        assert!(model.tables.iter().all(|t| t.name.name != "gone" && t.name.name != "config"));
        assert_eq!(model.extension_tables[0].name, RelationName::new("public", "config"));
        assert_eq!(model.extension_tables[0].extension, "citus_advisor");
        assert_eq!(table(&model, "public.uses_it").foreign_keys[0].referenced_columns, ["id"]);
        assert!(!model.schemas.iter().any(|s| s == "advisor" || s.starts_with("pg_") || s == "information_schema"));
        assert!(model.schemas.is_sorted());
    }

    #[pg_test]
    fn hostile_names_are_raw_where_raw_and_quoted_where_quoted() {
        run(EVERYTHING);
        let model = model();
        let odd = table(&model, "\"App \"\"Data\"\"\".\"Ünï;tbl--\"");
        assert_eq!((odd.name.schema.as_str(), odd.name.name.as_str()), ("App \"Data\"", "Ünï;tbl--"));
        assert_eq!(odd.columns[0].name, "select");
        assert_eq!(index(odd, "Ünï;tbl--_pkey").columns[0].text, "\"select\"");
    }

    #[pg_test]
    fn sizes_come_from_the_catalog_where_files_hold_nothing() {
        run("CREATE TABLE never (id int); CREATE TABLE said (id int); CREATE TABLE full_one (id int);
             CREATE TABLE split (id int) PARTITION BY LIST (id);
             INSERT INTO full_one SELECT generate_series(1, 1000); ANALYZE full_one;
             UPDATE pg_class SET reltuples = 5000000, relpages = 1000 WHERE oid IN ('said'::regclass, 'split'::regclass)");
        let model = model();
        let size = |t: &str| (table(&model, t).rows, table(&model, t).bytes);
        assert_eq!(size("public.never"), (None, None));
        assert_eq!(size("public.said"), (Some(5_000_000), Some(8_192_000)));
        assert_eq!(size("public.split"), (Some(5_000_000), Some(8_192_000)));
        assert_eq!(size("public.full_one").0, Some(1000));
        let statistics = table(&model, "public.full_one").columns[0].statistics.as_ref().unwrap();
        assert_eq!((statistics.n_distinct, statistics.null_fraction), (-1.0, 0.0));
        run("CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1)");
        assert_eq!(table(&crate::in_backend::model(), "public.split").rows, None);
    }

    #[pg_test]
    fn schemas_limit_the_model_to_their_tables_and_what_is_linked() {
        run("CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA c;
             CREATE TABLE c.far (id int PRIMARY KEY);
             CREATE TABLE b.near (id int PRIMARY KEY REFERENCES c.far) PARTITION BY LIST (id);
             CREATE TABLE c.near_1 PARTITION OF b.near FOR VALUES IN (1);
             CREATE TABLE a.here (id int REFERENCES b.near, at date)");
        let names = "SELECT string_agg(format('%s.%s', t->'name'->>'schema', t->'name'->>'name'), ' ')
                     FROM jsonb_array_elements(advisor.schema_model('{a}')->'tables') t";
        assert_eq!(text(names), "a.here b.near c.near_1");
        assert_eq!(
            text("SELECT string_agg(k, ' ') FROM jsonb_object_keys(advisor.schema_model('{a}')->'types') k"),
            "pg_catalog.date pg_catalog.int4"
        );
    }
}
