use super::sql::{self, Values};
use super::*;
use crate::Request;
use crate::error::ErrorKind;
use crate::layout::Layout;
use crate::plan::{ForeignKeyFate, Plan};
use crate::rules::testing::*;
use crate::schema::{Schema, Table};

fn planned<R>(schema: &Schema, overrides: &str, read: impl FnOnce(&Plan<'_>) -> R) -> R {
    let graph = Graph::new(schema);
    let request =
        Request { overrides: assignment(overrides), search_path: vec!["public".into()], ..Request::default() };
    read(&crate::plan(&graph, &request, &mut || ()).unwrap())
}

/// `table.column <- foreign keys of the path`.
fn filled(plan: &Plan<'_>) -> Vec<String> {
    let told = plan.backfills.iter().map(|b| {
        let graph = plan.graph();
        let path = plan.backfill(b).path(graph).into_iter().map(|e| graph.foreign_key(e).name.clone());
        format!(
            "{}.{} <- {}",
            graph.table(b.table).name.name,
            plan.backfill(b).column.name,
            path.collect::<Vec<_>>().join(", ")
        )
    });
    told.collect()
}

fn sized(table: Table, rows: i64) -> Table {
    table.with(|t| {
        t.rows = Some(rows);
        t.bytes = Some(rows * 100);
    })
}

/// Companies that advertise: only campaigns know theirs.
fn agency() -> Schema {
    schema([
        sized(table("companies").columns("id bigint not null, name text").primary_key("id"), 5_000),
        sized(
            table("campaigns").columns("id bigint not null, company_id bigint not null").primary_key("id").foreign_key(
                "campaigns_company",
                "company_id",
                "companies(id)",
            ),
            50_000,
        ),
        sized(
            table("ads").columns("id bigint not null, campaign_id bigint not null").primary_key("id").foreign_key(
                "ads_campaign",
                "campaign_id",
                "campaigns(id)",
            ),
            500_000,
        ),
        sized(
            table("clicks").columns("id bigint not null, ad_id bigint not null").primary_key("id").foreign_key(
                "clicks_ad",
                "ad_id",
                "ads(id)",
            ),
            50_000_000,
        ),
        sized(table("countries").columns("code text not null").primary_key("code"), 200),
    ])
}

#[test]
fn tables_below_the_tenant_get_its_key() {
    planned(&agency(), "", |plan| {
        assert_eq!(filled(plan), ["ads.company_id <- ads_campaign", "clicks.company_id <- clicks_ad, ads_campaign"]);
        assert_eq!(plan.layout.groups, ["company_id"]);
        assert_eq!(plan.layout.members(0).len(), 4);
        let lost = plan.foreign_keys.iter().filter(|f| matches!(f.fate, ForeignKeyFate::Lost { .. }));
        assert_eq!(lost.count(), 0);
        // Rows anew, with eight bytes more each.
        assert_eq!(plan.bytes_backfilled(), 50_500_000 * 108);
        assert_eq!(plan.figures().bytes_backfilled, 50_500_000 * 108);
        // What the columns are filled over needs nobody's promise.
        assert!(!plan.findings.iter().any(|f| f.name == "fk-widened"));
    });
}

#[test]
fn columns_that_nobody_uses_are_never_seen() {
    let overrides = "ads: local; clicks: local; campaigns: distributed company_id; companies: distributed id";
    planned(&agency(), overrides, |plan| {
        assert!(plan.backfills.is_empty());
        let text = crate::report::render(plan, crate::report::Format::parse("json").unwrap()).join("\n");
        assert!(!text.contains("backfill-") && text.contains("\"bytes_backfilled\":0"), "{text}");
        assert!(!crate::migration::steps(plan).iter().any(|s| s.statement.contains("ADD COLUMN")));
    });
}

#[test]
fn overrides_may_name_what_a_path_leads_to_and_nothing_else() {
    let only = "clicks: distributed campaign_id; campaigns: distributed id; ads: distributed campaign_id";
    planned(&agency(), only, |plan| assert_eq!(filled(plan), ["clicks.campaign_id <- clicks_ad"]));
    let schema = agency();
    let graph = Graph::new(&schema);
    for (name, column) in [("clicks", "region_id"), ("countries", "company_id")] {
        let overrides = assignment(&format!("{name}: distributed {column}"));
        let request = Request { overrides, search_path: vec!["public".into()], ..Request::default() };
        let error = crate::plan(&graph, &request, &mut || ()).err().expect("there is no path");
        assert_eq!(error.kind, ErrorKind::UndefinedColumn);
    }
}

#[test]
fn a_plan_passed_back_is_itself() {
    let schema = agency();
    let graph = Graph::new(&schema);
    let first = crate::plan(&graph, &Request::default(), &mut || ()).unwrap();
    let overrides = first.layout.to_assignment();
    let again_graph = Graph::new(&schema);
    let request = Request { overrides: overrides.clone(), ..Request::default() };
    let again = crate::plan(&again_graph, &request, &mut || ()).unwrap();
    assert_eq!(again.layout.to_assignment(), overrides);
    assert_eq!(filled(&again), filled(&first));
    // The same assignment, judged as it stands, has columns that do not exist.
    let judged = Layout::from_assignment(&Graph::new(&schema), &overrides, &[], "assignment").map(|l| l.named.len());
    assert_eq!(judged.unwrap(), 5);
}

/// Foreign keys to unique columns, composite keys, a self reference and a cycle.
fn chain() -> Schema {
    schema([
        table("tenants").columns("id uuid not null").primary_key("id"),
        table("users")
            .columns("id bigint not null, company_id uuid not null, code text not null, best_task bigint")
            .primary_key("id")
            .unique("users_code", "code")
            .foreign_key("users_tenant", "company_id", "tenants(id)")
            .foreign_key("users_best", "best_task", "tasks(id)"),
        table("projects")
            .columns("id int not null, owner text not null, manager bigint")
            .primary_key("id")
            .foreign_key("projects_manager", "manager", "users(id)")
            .foreign_key("projects_owner", "owner", "users(code)"),
        table("tasks")
            .columns("id bigint not null, project_id bigint not null, parent bigint")
            .primary_key("id")
            .foreign_key("tasks_parent", "parent", "tasks(id)")
            .foreign_key("tasks_project", "project_id", "projects(id)"),
        table("comments").columns("task_id bigint not null, nr int not null").primary_key("task_id, nr").foreign_key(
            "comments_task",
            "task_id",
            "tasks(id)",
        ),
        table("likes").columns("task_id bigint not null, nr int not null").foreign_key(
            "likes_comment",
            "task_id, nr",
            "comments(task_id, nr)",
        ),
    ])
}

const ALL: &str = "tenants: distributed id; users: distributed company_id; projects: distributed company_id; \
                   tasks: distributed company_id; comments: distributed company_id; likes: distributed company_id";

#[test]
fn follows_chains_of_any_kind_of_foreign_key() {
    planned(&chain(), ALL, |plan| {
        assert_eq!(
            filled(plan),
            [
                "projects.company_id <- projects_owner",
                "tasks.company_id <- tasks_project, projects_owner",
                "comments.company_id <- comments_task, tasks_project, projects_owner",
                "likes.company_id <- likes_comment, comments_task, tasks_project, projects_owner",
            ]
        );
        let graph = plan.graph();
        let of = |name: &str| plan.backfills.iter().find(|b| graph.table(b.table).name.name == name).unwrap();
        // The surer way first; the other is compared only.
        let projects = plan.backfill(of("projects"));
        assert!(projects.is_certain && projects.rivals().len() == 1);
        assert_eq!(
            sql::fill(&plan.layout, plan.backfill(of("likes"))),
            "UPDATE ONLY public.likes AS t SET company_id = (SELECT p1.company_id FROM ONLY public.comments AS p1 WHERE \
             p1.task_id OPERATOR(pg_catalog.=) t.task_id AND p1.nr OPERATOR(pg_catalog.=) t.nr) WHERE t.company_id IS NULL"
        );
        // Before anything is added, the whole way.
        let by_path = Values::by_path(graph).of("t", of("tasks").table, of("tasks").column);
        assert_eq!(
            by_path,
            "(SELECT (SELECT p2.company_id FROM ONLY public.users AS p2 WHERE p2.code OPERATOR(pg_catalog.=) p1.owner) \
             FROM ONLY public.projects AS p1 WHERE p1.id OPERATOR(pg_catalog.=) t.project_id)"
        );
    });
}

#[test]
fn tables_that_cannot_take_a_column_get_none() {
    let with = |change: fn(&mut Table)| {
        schema([
            table("tenants").columns("id bigint not null").primary_key("id"),
            table("users").columns("id bigint not null, tenant_id bigint not null").primary_key("id").foreign_key(
                "u",
                "tenant_id",
                "tenants(id)",
            ),
            table("notes")
                .columns("id bigint, user_id bigint not null")
                .foreign_key("n", "user_id", "users(id)")
                .with(change),
        ])
    };
    let refused = |schema: &Schema| {
        let graph = Graph::new(schema);
        let overrides = assignment("notes: distributed tenant_id; users: distributed tenant_id");
        let request = Request { overrides, search_path: vec!["public".into()], ..Request::default() };
        crate::plan(&graph, &request, &mut || ()).is_err()
    };
    assert!(!refused(&with(|_| ())));
    assert!(refused(&with(|t| t.of_type = Some("public.note".into()))));
    assert!(refused(&with(|t| t.access_method = Some("columnar".into()))));
    assert!(refused(&with(|t| t.foreign_keys[0].referenced.name = "elsewhere".into())));
}

#[test]
fn a_name_that_is_taken_is_not_taken_twice() {
    let schema = schema([
        table("tenants").columns("id bigint not null").primary_key("id"),
        table("users").columns("id bigint not null, tenant_id bigint not null").primary_key("id").foreign_key(
            "u",
            "tenant_id",
            "tenants(id)",
        ),
        table("notes").columns("user_id bigint not null, tenant_id text").foreign_key("n", "user_id", "users(id)"),
    ]);
    planned(&schema, "notes: distributed user_tenant_id; users: distributed tenant_id", |plan| {
        assert_eq!(filled(plan), ["notes.user_tenant_id <- n"]);
    });
}

/// Steps in the order in which a database can stand them: filled before anything is dropped, NOT NULL before a key is wider.
#[test]
fn the_script_fills_first() {
    planned(&chain(), ALL, |plan| {
        let steps = crate::migration::steps(plan);
        let at =
            |part: &str| steps.iter().position(|s| s.statement.contains(part)).unwrap_or_else(|| panic!("no {part}"));
        let add = |t: &str| at(&format!("ALTER TABLE public.{t} ADD COLUMN company_id uuid"));
        assert!(add("projects") < add("tasks") && add("tasks") < add("comments") && add("comments") < add("likes"));
        let not_null = at("ALTER TABLE public.likes ALTER COLUMN company_id SET NOT NULL");
        assert!(add("likes") < at("DROP CONSTRAINT likes_comment") && at("DROP CONSTRAINT likes_comment") < not_null);
        assert!(not_null < at("DROP CONSTRAINT comments_pkey"));
        assert!(at("create_distributed_table('public.likes', 'company_id'") > not_null);
    });
}
