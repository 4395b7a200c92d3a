//! What a rule is, what it looks at, and what it says.

use serde::Serialize;

use super::situation::Situation;
use crate::citus_version::{CitusVersion, Releases};
use crate::graph::{ColumnId, Edge, TableId};
use crate::identifier::RelationName;
use crate::layout::{Layout, Placement};
use crate::schema::{ConstraintKind, ForeignKey, Index, ReferentialAction, Schema};

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

    /// Whether the user has left it out of reports. It holds all the same: no plan and no script asks this.
    pub fn is_ignored(&self, schema: &Schema) -> bool {
        schema.ignored_findings.binary_search(&self.fingerprint()).is_ok()
    }

    pub fn sort_key(&self) -> impl Ord + '_ {
        (self.level, &self.relation, self.code, self.object_type, &self.object_name)
    }
}

/// A table under judgement: one that a plan speaks of, never a partition. A rule that a partition can break looks at
/// [`crate::graph::Graph::descendants`] itself, for Citus refuses the whole call.
#[derive(Clone, Copy)]
pub struct TableCase {
    pub table: TableId,
}

/// The distribution column of a table under judgement.
#[derive(Clone, Copy)]
pub struct ColumnCase {
    pub table: TableId,
    pub column: ColumnId,
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
    /// Whether the sides are in Citus' metadata although they are local, when the foreign key is added: see
    /// [`Standing::Managed`]. [`ForeignKeyCase::declared`] looks at the two tables alone, which never changes whether a
    /// foreign key is lost, only how Citus words it; [`super::judge`] knows their neighbours too.
    pub referencing_managed: bool,
    pub referenced_managed: bool,
}

/// What a table is to Citus at the moment when a foreign key is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// PostgreSQL's alone.
    Plain,
    /// On the coordinator, but in Citus' metadata ("Citus local"): what a local table becomes when a foreign key
    /// connects it with a reference table.
    Managed,
    Reference,
    Distributed(ColumnId, crate::layout::GroupId),
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
            referencing_managed: false,
            referenced_managed: false,
        }
    }

    pub fn from(&self, layout: &Layout<'_>) -> Standing {
        standing(layout, self.edge.referencing, self.referencing_managed)
    }

    pub fn to(&self, layout: &Layout<'_>) -> Standing {
        standing(layout, self.edge.referenced, self.referenced_managed)
    }

    /// The local table that Citus takes into its metadata before it looks at this foreign key, if it must: one side is
    /// plain, the other a reference table or managed already.
    pub fn converts(&self, layout: &Layout<'_>) -> Option<TableId> {
        let known = |standing| matches!(standing, Standing::Reference | Standing::Managed);
        match (self.from(layout), self.to(layout)) {
            (Standing::Plain, to) if known(to) => Some(self.edge.referencing),
            (from, Standing::Plain) if known(from) => Some(self.edge.referenced),
            _ => None,
        }
    }

    pub fn is_self_reference(&self) -> bool {
        self.edge.referencing == self.edge.referenced
    }

    /// Whether the foreign key has the referencing table's distribution column among its columns.
    pub fn has_distribution_column(&self, layout: &Layout<'_>) -> bool {
        let column = layout.placement(self.edge.referencing).distribution_column();
        column.is_some_and(|column| self.columns.iter().any(|&(from, _)| from == column))
    }
}

fn standing(layout: &Layout<'_>, table: TableId, managed: bool) -> Standing {
    match layout.placement(table) {
        Placement::Local if managed => Standing::Managed,
        Placement::Local => Standing::Plain,
        Placement::Reference => Standing::Reference,
        Placement::Distributed { column, group } => Standing::Distributed(column, group),
    }
}

/// Takes (relation, object type, raw object name, objection).
pub type Report<'r> = dyn FnMut(&RelationName, ObjectType, &str, Objection) + 'r;

/// Of a table: the object to name (itself or a column, raw) and what to say.
pub type Refusal = (ObjectType, String, Objection);

/// What a rule looks at. `applies` is cheap and is all that the search asks; `word` puts it into words.
pub enum Check {
    Table {
        applies: fn(&Layout<'_>, &TableCase) -> bool,
        word: fn(&Layout<'_>, &TableCase) -> Objection,
    },
    /// The distribution column of a distributed table.
    DistributionColumn {
        applies: fn(&Layout<'_>, &ColumnCase) -> bool,
        word: fn(&Layout<'_>, &ColumnCase) -> Objection,
    },
    /// A table next to those that Citus accepted before it: the layout has only them (and the table itself) placed, and
    /// the first member of a group stands for the group.
    Newcomer(fn(&Layout<'_>, TableId, &[TableId]) -> Option<Refusal>),
    /// The same of a table, and objects of tables that are accepted.
    NewcomerAndObjects {
        refuses: fn(&Layout<'_>, TableId, &[TableId]) -> Option<Refusal>,
        walk: fn(&Situation<'_>, &mut Report<'_>),
    },
    Key {
        applies: fn(&Layout<'_>, &KeyCase<'_>) -> bool,
        word: fn(&Layout<'_>, &KeyCase<'_>) -> Objection,
    },
    ForeignKey {
        applies: fn(&Layout<'_>, &ForeignKeyCase<'_>) -> bool,
        word: fn(&Layout<'_>, &ForeignKeyCase<'_>) -> Objection,
    },
    /// What an assignment names, be it a table or not: a blocked finding refuses the table.
    Named(fn(&Layout<'_>, &mut Report<'_>)),
    /// Anything else (columns, triggers, policies, views, ...): walks the layout itself.
    Layout(fn(&Situation<'_>, &mut Report<'_>)),
}

/// What Citus says when it must take this local table into its metadata, if it cannot; told which tables it knows.
pub type Conversion = fn(&Layout<'_>, TableId, &dyn Fn(TableId) -> bool) -> Option<String>;

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
    /// Markdown: what it is, why on Citus, example, use instead, when to ignore, source. The doc comment of the rule.
    pub explanation: &'static str,
    /// One or two sentences: what to do.
    pub remediation: &'static str,
    /// The Citus source that the rule mirrors, `file.c:function`.
    pub source: &'static str,
    pub check: Check,
    /// The releases of Citus that it holds for; all where empty.
    pub releases: &'static [Releases],
    /// Where a foreign key makes Citus take a local table into its metadata and this rule is in the way.
    pub conversion: Option<Conversion>,
}

impl Rule {
    pub fn is_blocking(&self) -> bool {
        self.effect == Effect::Blocked
    }

    /// Whether this release of Citus is one that the rule holds for.
    pub fn holds_for(&self, version: CitusVersion) -> bool {
        self.releases.is_empty() || self.releases.iter().any(|r| r.include(version))
    }

    /// What this rule says of a foreign key as it would be re-created.
    pub fn find_foreign_key(&self, layout: &Layout<'_>, case: &ForeignKeyCase<'_>) -> Option<Finding> {
        let Check::ForeignKey { word, .. } = self.check else { return None };
        let relation = &layout.graph.table(case.edge.referencing).name;
        Some(self.finding(relation, ObjectType::ForeignKey, &case.foreign_key.name, word(layout, case)))
    }

    /// The row for one object.
    pub fn finding(
        &self,
        relation: &RelationName,
        object_type: ObjectType,
        object_name: &str,
        objection: Objection,
    ) -> Finding {
        Finding {
            code: self.code,
            name: self.name,
            level: self.level,
            effect: self.effect,
            relation: relation.clone(),
            object_type,
            object_name: object_name.to_owned(),
            message: objection.message,
            detail: objection.detail,
            hint: objection.hint,
            fix_sql: objection.fix_sql,
        }
    }

    /// Appends what this rule finds. Blocking rules on tables and distribution columns are left out: the situation was
    /// made by them and has their findings.
    pub fn find(&'static self, situation: &Situation<'_>, findings: &mut Vec<Finding>) {
        let layout = &situation.layout;
        let graph = layout.graph;
        let mut report = |relation: &RelationName, object_type: ObjectType, object_name: &str, o: Objection| {
            findings.push(self.finding(relation, object_type, object_name, o));
        };
        match self.check {
            Check::Table { .. } | Check::DistributionColumn { .. } if self.is_blocking() => {}
            Check::Newcomer(_) | Check::Named(_) => {}
            Check::Table { applies, word } => {
                for table in graph.planned_tables() {
                    let case = TableCase { table };
                    if applies(layout, &case) {
                        let name = &graph.table(table).name;
                        report(name, ObjectType::Table, &name.name, word(layout, &case));
                    }
                }
            }
            Check::DistributionColumn { applies, word } => {
                for table in graph.planned_tables() {
                    let Some(column) = layout.placement(table).distribution_column() else { continue };
                    let case = ColumnCase { table, column };
                    if applies(layout, &case) {
                        let column = &graph.column(table, column).name;
                        report(&graph.table(table).name, ObjectType::Column, column, word(layout, &case));
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
                for edge in 0..graph.edges.len() {
                    let case = situation.foreign_key_case(edge);
                    if applies(layout, &case) {
                        let name = &graph.table(case.edge.referencing).name;
                        report(name, ObjectType::ForeignKey, &case.foreign_key.name, word(layout, &case));
                    }
                }
            }
            Check::Layout(walk) | Check::NewcomerAndObjects { walk, .. } => walk(situation, &mut report),
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
    is_key(index) && index.parent.is_none()
}

/// Whether an index enforces anything.
pub fn is_key(index: &Index) -> bool {
    index.unique || index.constraint.as_ref().is_some_and(|c| c.kind == ConstraintKind::Exclusion)
}

/// Drops the space that a `///` comment leaves at the start of each line; called twice, for the length and the bytes.
pub const fn unindent<const N: usize>(doc: &str) -> (usize, [u8; N]) {
    let bytes = doc.as_bytes();
    let mut out = [0; N];
    let (mut from, mut to, mut at_start) = (0, 0, true);
    while from < bytes.len() {
        let skip = at_start && bytes[from] == b' ';
        at_start = bytes[from] == b'\n';
        if !skip {
            if to < N {
                out[to] = bytes[from];
            }
            to += 1;
        }
        from += 1;
    }
    (to, out)
}

/// Declares `RULE`. The doc comment is the rule's documentation and, word for word, its explanation.
macro_rules! declare_rule {
    (
        $(#[doc = $doc:literal])*
        code: $code:literal, name: $name:literal, level: $level:ident, effect: $effect:ident,
        title: $title:literal,
        remediation: $remediation:literal,
        source: $source:literal,
        $(releases: $releases:expr,)?
        $(conversion: $conversion:expr,)?
        check: $check:expr $(,)?
    ) => {
        $(#[doc = $doc])*
        pub const RULE: $crate::rules::Rule = $crate::rules::Rule {
            code: $code,
            name: $name,
            level: $crate::rules::Level::$level,
            effect: $crate::rules::Effect::$effect,
            title: $title,
            explanation: {
                const RAW: &str = concat!($($doc, "\n"),*);
                const LENGTH: usize = $crate::rules::rule::unindent::<0>(RAW).0;
                const TEXT: [u8; LENGTH] = $crate::rules::rule::unindent::<LENGTH>(RAW).1;
                match std::str::from_utf8(&TEXT) {
                    Ok(text) => text,
                    Err(_) => panic!("a doc comment is UTF-8"),
                }
            },
            remediation: $remediation,
            source: $source,
            releases: $crate::rules::rule::declare_rule!(@releases $($releases)?),
            check: $check,
            conversion: $crate::rules::rule::declare_rule!(@conversion $($conversion)?),
        };
    };
    (@releases) => { &[] };
    (@releases $releases:expr) => { $releases };
    (@conversion) => { None };
    (@conversion $conversion:expr) => { Some($conversion) };
}
pub(crate) use declare_rule;
