//! A small schema builder for the tests of the rules.
//!
//! ```text
//! let schema = schema([table("users").columns("id bigint, email text").primary_key("id")]);
//! check(&schema, "users: distributed id", |findings| ...)
//! ```

use std::collections::BTreeMap;

use super::{Effect, Finding, judge};
use crate::assignment::{Assignment, Entry, Role};
use crate::graph::Graph;
use crate::layout::Layout;
use crate::schema::*;

/// A table of schema `public`.
pub fn table(name: &str) -> Table {
    Table {
        name: RelationName::new("public", name),
        kind: TableKind::Ordinary,
        owner: "owner".into(),
        persistence: Persistence::Permanent,
        partition_of: None,
        partition_bound: None,
        partition_key: None,
        inherits: Vec::new(),
        access_method: Some("heap".into()),
        access_method_extension: None,
        of_type: None,
        tablespace: None,
        foreign: None,
        replica_identity: ReplicaIdentity::Default,
        row_security: false,
        force_row_security: false,
        owned_by_reader: true,
        statistics_readable: true,
        rows: None,
        bytes: None,
        changes: None,
        comment: None,
        columns: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        rules: Vec::new(),
        policies: Vec::new(),
        statistics_objects: Vec::new(),
        dependencies: Vec::new(),
    }
}

/// Chained changes to a [`Table`]. Columns are written `name type [not null] [default expression]`, key columns
/// separated by commas.
pub trait TableBuilder: Sized {
    fn columns(self, text: &str) -> Table;
    fn primary_key(self, columns: &str) -> Table;
    fn unique(self, name: &str, columns: &str) -> Table;
    /// `columns` of the table, `target` as `table(columns)`.
    fn foreign_key(self, name: &str, columns: &str, target: &str) -> Table;
    fn partition_of(self, parent: &str) -> Table;
    fn partitioned(self) -> Table;
    fn trigger(self, name: &str) -> Table;
    fn with(self, change: impl FnOnce(&mut Table)) -> Table;
}

impl TableBuilder for Table {
    fn columns(mut self, text: &str) -> Table {
        for part in text.split(", ") {
            let (name, rest) = part.split_once(' ').unwrap();
            let (rest, default) = match rest.split_once(" default ") {
                Some((rest, default)) => (rest, Some(default.to_owned())),
                None => (rest, None),
            };
            let (type_text, not_null) = match rest.strip_suffix(" not null") {
                Some(type_text) => (type_text, true),
                None => (rest, false),
            };
            let collation =
                (type_text == "text").then(|| Collation { name: "pg_catalog.\"default\"".into(), deterministic: true });
            self.columns.push(Column {
                name: name.into(),
                data_type: type_key(type_text),
                type_text: type_text.into(),
                type_modifier: -1,
                not_null,
                collation,
                generated: None,
                identity: None,
                default,
                sequences: Vec::new(),
                options: Vec::new(),
                comment: None,
                statistics: None,
            });
        }
        self
    }

    fn primary_key(mut self, columns: &str) -> Table {
        let name = format!("{}_pkey", self.name.name);
        self.indexes.push(index(&name, columns, Some(ConstraintKind::PrimaryKey)));
        for column in columns.split(", ") {
            self.columns.iter_mut().find(|c| c.name == column).unwrap().not_null = true;
        }
        self
    }

    fn unique(mut self, name: &str, columns: &str) -> Table {
        self.indexes.push(index(name, columns, Some(ConstraintKind::Unique)));
        self
    }

    fn foreign_key(mut self, name: &str, columns: &str, target: &str) -> Table {
        let (referenced, to) = target.strip_suffix(')').unwrap().split_once('(').unwrap();
        self.foreign_keys.push(ForeignKey {
            name: name.into(),
            columns: columns.split(", ").map(Into::into).collect(),
            referenced: RelationName::new("public", referenced),
            referenced_columns: to.split(", ").map(Into::into).collect(),
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
            on_delete_columns: Vec::new(),
            match_type: MatchType::Simple,
            deferrable: false,
            initially_deferred: false,
            validated: true,
            enforced: true,
            referenced_index: None,
            definition: format!("FOREIGN KEY ({columns}) REFERENCES public.{target}"),
            comment: None,
            put_aside: false,
        });
        self
    }

    fn partition_of(mut self, parent: &str) -> Table {
        self.partition_of = Some(RelationName::new("public", parent));
        self
    }

    fn partitioned(mut self) -> Table {
        self.kind = TableKind::Partitioned;
        self.access_method = None;
        self
    }

    fn trigger(mut self, name: &str) -> Table {
        self.triggers.push(Trigger {
            name: name.into(),
            definition: format!("CREATE TRIGGER {name} ..."),
            function: "public.f()".into(),
            enabled: "O".into(),
            extension: None,
            comment: None,
        });
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Table)) -> Table {
        change(&mut self);
        self
    }
}

/// An index; a unique one where it backs a constraint.
pub fn index(name: &str, columns: &str, constraint: Option<ConstraintKind>) -> Index {
    let column = |text: &str| IndexColumn {
        column: (!text.contains('(')).then(|| text.to_owned()),
        text: text.into(),
        key: true,
        operator_class: None,
        collation: None,
        descending: false,
        nulls_first: false,
        exclusion_operator: None,
        exclusion_equality: false,
    };
    Index {
        name: name.into(),
        constraint: constraint.map(|kind| IndexConstraint {
            kind,
            name: name.into(),
            deferrable: false,
            initially_deferred: false,
            period: false,
            definition: String::new(),
            comment: None,
        }),
        unique: constraint.is_some_and(|kind| kind != ConstraintKind::Exclusion),
        columns: columns.split(", ").map(column).collect(),
        method: "btree".into(),
        predicate: None,
        nulls_not_distinct: false,
        valid: true,
        parent: None,
        tablespace: None,
        clustered: false,
        options: Vec::new(),
        definition: format!("CREATE INDEX {name} ON ... ({columns})"),
        comment: None,
    }
}

fn type_key(text: &str) -> String {
    match text {
        "bigint" => "pg_catalog.int8".into(),
        "int" | "integer" => "pg_catalog.int4".into(),
        "smallint" => "pg_catalog.int2".into(),
        "boolean" => "pg_catalog.bool".into(),
        "timestamp" => "pg_catalog.timestamp".into(),
        "double precision" => "pg_catalog.float8".into(),
        other if other.contains('.') => other.into(),
        other => format!("pg_catalog.{other}"),
    }
}

/// A type that hashes and sorts, unless it is one that people know does not.
pub fn data_type(text: &str) -> DataType {
    let hash = !["json", "xml", "box"].contains(&text);
    DataType {
        text: text.into(),
        kind: TypeKind::Base,
        inner: None,
        fields: Vec::new(),
        row_type_of: None,
        hash_class: hash,
        hash_function: hash,
        btree_class: hash,
        equality: hash.then(|| "OPERATOR(pg_catalog.=)".into()),
        category: "U".into(),
        user_made: false,
        extension: None,
        not_null: false,
    }
}

pub fn schema(tables: impl IntoIterator<Item = Table>) -> Schema {
    let mut tables: Vec<Table> = tables.into_iter().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let mut types = BTreeMap::new();
    for column in tables.iter().flat_map(|t| &t.columns) {
        types.entry(column.data_type.clone()).or_insert_with(|| data_type(&column.type_text));
    }
    Schema {
        model_version: MODEL_VERSION,
        database: "test".into(),
        server_version: 150_020,
        citus_version: None,
        citus_target: None,
        extensions: Vec::new(),
        schemas: vec!["public".into()],
        tables,
        extension_tables: Vec::new(),
        types,
        sequences: Vec::new(),
        views: Vec::new(),
        publications: Vec::new(),
        citus_tables: Vec::new(),
        ignored_findings: Vec::new(),
        workload: None,
        no_workload: None,
        unfinished: None,
        unseen: Vec::new(),
    }
}

/// `t: distributed column [group]; r: reference`.
pub fn assignment(text: &str) -> Assignment {
    let entry = |part: &str| {
        let (table, rest) = part.trim().split_once(": ").unwrap();
        let mut words = rest.split(' ').map(str::to_owned);
        let role = match words.next().as_deref() {
            Some("distributed") => Role::Distributed,
            Some("reference") => Role::Reference,
            _ => Role::Local,
        };
        let column = words.next();
        let group = (role == Role::Distributed).then(|| words.next().unwrap_or_else(|| "g".into()));
        (table.to_owned(), Entry { role, column, group })
    };
    Assignment(text.split(';').filter(|p| !p.trim().is_empty()).map(entry).collect())
}

pub fn findings(schema: &Schema, text: &str) -> Vec<Finding> {
    let graph = Graph::new(schema);
    let layout = Layout::from_assignment(&graph, &assignment(text), &["public".into()], "assignment").unwrap();
    judge(&layout)
}

/// What one rule finds, as `table.object`; of a table `table`.
pub fn found(schema: &Schema, text: &str, rule: &str) -> Vec<String> {
    findings(schema, text)
        .into_iter()
        .filter(|f| f.name == rule)
        .map(|f| match f.object_type {
            super::ObjectType::Table => f.relation.name,
            _ => format!("{}.{}", f.relation.name, f.object_name),
        })
        .collect()
}

/// The only finding of a rule.
pub fn one(schema: &Schema, text: &str, rule: &str) -> Finding {
    let mut found: Vec<Finding> = findings(schema, text).into_iter().filter(|f| f.name == rule).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// Everything blocked, as `rule table.object`.
pub fn blocked(schema: &Schema, text: &str) -> Vec<String> {
    findings(schema, text)
        .into_iter()
        .filter(|f| f.effect == Effect::Blocked)
        .map(|f| format!("{} {}.{}", f.name, f.relation.name, f.object_name))
        .collect()
}

/// What one rule finds in the plan with these overrides, which may name columns that tables do not have.
pub fn of_plan(schema: &Schema, text: &str, rule: &str) -> Vec<Finding> {
    let graph = Graph::new(schema);
    let request =
        crate::Request { overrides: assignment(text), search_path: vec!["public".into()], ..Default::default() };
    let plan = crate::plan(&graph, &request, &mut || ()).unwrap();
    plan.findings.into_iter().filter(|f| f.name == rule).collect()
}

/// The same as `table.object`.
pub fn found_of_plan(schema: &Schema, text: &str, rule: &str) -> Vec<String> {
    of_plan(schema, text, rule).into_iter().map(|f| format!("{}.{}", f.relation.name, f.object_name)).collect()
}
