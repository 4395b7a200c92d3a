//! What a rule is, what it looks at, and what it says.

use serde::Serialize;

use crate::graph::{ColumnId, Edge, TableId};
use crate::identifier::RelationName;
use crate::layout::Layout;
use crate::schema::{ConstraintKind, ForeignKey, Index, ReferentialAction};

/// How bad: Citus refuses or rows are lost, something changes its meaning, or worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Error,
    Warning,
    Info,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warning => "WARNING",
            Level::Info => "INFO",
        }
    }
}

/// What happens if nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Citus refuses.
    Blocked,
    /// Refused if the rows are so.
    Data,
    /// Accepted, but means something else.
    Silent,
    /// Some statements fail later.
    Runtime,
    /// Works, could be better.
    Advice,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Blocked => "blocked",
            Effect::Data => "data",
            Effect::Silent => "silent",
            Effect::Runtime => "runtime",
            Effect::Advice => "advice",
        }
    }
}

/// `object_type` of a finding, as the contract lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectType {
    Table,
    Column,
    #[serde(rename = "primary key")]
    PrimaryKey,
    Unique,
    #[serde(rename = "unique index")]
    UniqueIndex,
    Exclusion,
    #[serde(rename = "foreign key")]
    ForeignKey,
    Trigger,
    Policy,
    Rule,
    Index,
    Cluster,
    Statistics,
    Sequence,
    View,
}

impl ObjectType {
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectType::Table => "table",
            ObjectType::Column => "column",
            ObjectType::PrimaryKey => "primary key",
            ObjectType::Unique => "unique",
            ObjectType::UniqueIndex => "unique index",
            ObjectType::Exclusion => "exclusion",
            ObjectType::ForeignKey => "foreign key",
            ObjectType::Trigger => "trigger",
            ObjectType::Policy => "policy",
            ObjectType::Rule => "rule",
            ObjectType::Index => "index",
            ObjectType::Cluster => "cluster",
            ObjectType::Statistics => "statistics",
            ObjectType::Sequence => "sequence",
            ObjectType::View => "view",
        }
    }

    pub fn of_index(index: &Index) -> Self {
        match index.constraint.as_ref().map(|c| c.kind) {
            Some(ConstraintKind::PrimaryKey) => ObjectType::PrimaryKey,
            Some(ConstraintKind::Unique) => ObjectType::Unique,
            Some(ConstraintKind::Exclusion) => ObjectType::Exclusion,
            None if index.unique => ObjectType::UniqueIndex,
            None => ObjectType::Index,
        }
    }
}

/// What a rule says of one object. Names inside `message` are written as Citus writes them (bare, in double quotes or
/// not, as in its source); `fix_sql` is ready to paste.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objection {
    /// As Citus (or PostgreSQL under it) words it, where it says anything.
    pub message: String,
    /// In plain words: what this means here.
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub fix_sql: Option<String>,
}

/// One row of `plan_issues`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub code: &'static str,
    pub name: &'static str,
    pub level: Level,
    pub effect: Effect,
    /// The table that has the object; of a foreign key the referencing one.
    pub relation: RelationName,
    pub object_type: ObjectType,
    /// Raw catalog name; of a table its own.
    pub object_name: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub fix_sql: Option<String>,
}

impl Finding {
    /// `code:relation[:object_name]`: the same across runs and dumps.
    pub fn fingerprint(&self) -> String {
        if self.object_type == ObjectType::Table {
            format!("{}:{}", self.code, self.relation)
        } else {
            format!("{}:{}:{}", self.code, self.relation, self.object_name)
        }
    }

    pub fn sort_key(&self) -> impl Ord + '_ {
        (self.level, &self.relation, self.code, self.object_type, &self.object_name)
    }
}

/// A table under judgement (never one of another session, an extension or the catalog).
#[derive(Clone, Copy)]
pub struct TableCase {
    pub table: TableId,
}

/// A unique or exclusion index under judgement. On a partition only where it does not belong to the parent's index.
#[derive(Clone, Copy)]
pub struct KeyCase<'a> {
    pub table: TableId,
    pub index: &'a Index,
}

/// A foreign key under judgement: the declared one, or what it would be after widening.
#[derive(Clone)]
pub struct ForeignKeyCase<'a> {
    pub edge: &'a Edge,
    pub foreign_key: &'a ForeignKey,
    /// (referencing, referenced) columns; more than the declared ones where the key is being widened.
    pub columns: Vec<(ColumnId, ColumnId)>,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
}

impl<'a> ForeignKeyCase<'a> {
    /// The foreign key as it is declared.
    pub fn declared(layout: &Layout<'a>, edge: &'a Edge) -> Self {
        let foreign_key = layout.graph.foreign_key(edge);
        ForeignKeyCase {
            edge,
            foreign_key,
            columns: edge.columns.clone(),
            on_delete: foreign_key.on_delete,
            on_update: foreign_key.on_update,
        }
    }
}

/// What a rule looks at. `applies` is cheap and is all that the search asks; `word` puts it into words.
pub enum Check {
    Table {
        applies: fn(&Layout<'_>, &TableCase) -> bool,
        word: fn(&Layout<'_>, &TableCase) -> Objection,
    },
    Key {
        applies: fn(&Layout<'_>, &KeyCase<'_>) -> bool,
        word: fn(&Layout<'_>, &KeyCase<'_>) -> Objection,
    },
    ForeignKey {
        applies: fn(&Layout<'_>, &ForeignKeyCase<'_>) -> bool,
        word: fn(&Layout<'_>, &ForeignKeyCase<'_>) -> Objection,
    },
    /// Anything else (columns, triggers, policies, views, ...): walks the layout itself and reports
    /// (relation, object type, raw object name, objection).
    Layout(fn(&Layout<'_>, &mut dyn FnMut(&RelationName, ObjectType, &str, Objection))),
}

/// One objection of Citus, or one thing to know: the register's entry.
pub struct Rule {
    /// `CA` and three digits; never reused.
    pub code: &'static str,
    /// Kebab-case, names the problem.
    pub name: &'static str,
    pub level: Level,
    pub effect: Effect,
    /// One line.
    pub title: &'static str,
    /// Markdown: what it is, why on Citus, example, use instead, when to ignore.
    pub explanation: &'static str,
    /// One or two sentences: what to do.
    pub remediation: &'static str,
    /// The Citus source that the rule mirrors, `file.c:function`.
    pub source: &'static str,
    pub check: Check,
}

impl Rule {
    /// What this rule says of a foreign key as it would be re-created.
    pub fn find_foreign_key(&'static self, layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<Finding> {
        let Check::ForeignKey { word, .. } = self.check else { return None };
        let relation = &layout.graph.table(case.edge.referencing).name;
        let objection = word(layout, case);
        Some(self.finding(relation, ObjectType::ForeignKey, &case.foreign_key.name, objection))
    }

    fn finding(
        &'static self,
        relation: &RelationName,
        object_type: ObjectType,
        object_name: &str,
        o: Objection,
    ) -> Finding {
        Finding {
            code: self.code,
            name: self.name,
            level: self.level,
            effect: self.effect,
            relation: relation.clone(),
            object_type,
            object_name: object_name.to_owned(),
            message: o.message,
            detail: o.detail,
            hint: o.hint,
            fix_sql: o.fix_sql,
        }
    }

    /// Appends what this rule finds under a layout.
    pub fn find(&'static self, layout: &Layout<'_>, findings: &mut Vec<Finding>) {
        let graph = layout.graph;
        let mut report = |relation: &RelationName, object_type: ObjectType, object_name: &str, o: Objection| {
            findings.push(self.finding(relation, object_type, object_name, o));
        };
        match self.check {
            Check::Table { applies, word } => {
                for table in graph.tables() {
                    let case = TableCase { table };
                    if applies(layout, &case) {
                        let name = &graph.table(table).name;
                        report(name, ObjectType::Table, &name.name, word(layout, &case));
                    }
                }
            }
            Check::Key { applies, word } => {
                for table in graph.tables() {
                    for index in key_indexes(layout, table) {
                        let case = KeyCase { table, index };
                        if applies(layout, &case) {
                            let name = &graph.table(table).name;
                            report(name, ObjectType::of_index(index), &index.name, word(layout, &case));
                        }
                    }
                }
            }
            Check::ForeignKey { applies, word } => {
                for edge in &graph.edges {
                    let case = ForeignKeyCase::declared(layout, edge);
                    if applies(layout, &case) {
                        let name = &graph.table(edge.referencing).name;
                        report(name, ObjectType::ForeignKey, &case.foreign_key.name, word(layout, &case));
                    }
                }
            }
            Check::Layout(walk) => walk(layout, &mut report),
        }
    }
}

/// Unique and exclusion indexes that are judged for themselves.
pub fn key_indexes<'a>(layout: &Layout<'a>, table: TableId) -> impl Iterator<Item = &'a Index> + use<'a> {
    layout.graph.table(table).indexes.iter().filter(|i| is_judged_key(i))
}

/// Whether an index is a key that is judged for itself: that of a partition which belongs to an index of its parent
/// follows the parent.
pub fn is_judged_key(index: &Index) -> bool {
    let is_exclusion = index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::Exclusion);
    (index.unique || is_exclusion) && index.parent.is_none()
}
