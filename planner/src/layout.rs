//! A role for every table: what the search varies, the rules judge and the plan records.

use std::collections::BTreeMap;

use crate::Request;
use crate::assignment::{Assignment, Entry, Role};
use crate::error::{Error, ErrorKind};
use crate::graph::{ColumnId, Graph, TableId};
use crate::identifier::{RelationName, parse_qualified_name};
use crate::schema::TableKind;

/// Position of a colocation group in [`Layout::groups`].
pub type GroupId = usize;

/// Where the rows of a table live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// On the coordinator, as now.
    Local,
    /// A full copy on every node.
    Reference,
    /// Hash-distributed by a column, colocated with the tables of the same group.
    Distributed { column: ColumnId, group: GroupId },
}

impl Placement {
    pub fn role(self) -> Role {
        match self {
            Placement::Local => Role::Local,
            Placement::Reference => Role::Reference,
            Placement::Distributed { .. } => Role::Distributed,
        }
    }

    pub fn distribution_column(self) -> Option<ColumnId> {
        match self {
            Placement::Distributed { column, .. } => Some(column),
            _ => None,
        }
    }

    pub fn group(self) -> Option<GroupId> {
        match self {
            Placement::Distributed { group, .. } => Some(group),
            _ => None,
        }
    }

    pub fn is_distributed(self) -> bool {
        matches!(self, Placement::Distributed { .. })
    }
}

/// An entry of an assignment, resolved as far as it could be.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub target: Target,
    pub entry: Entry,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Table(TableId),
    /// A table whose distribution column does not exist, or is a system column.
    MissingColumn(TableId),
    /// Something that is no table; `kind` as in `view`, `materialized view`, `sequence`.
    Other {
        name: RelationName,
        kind: &'static str,
    },
    /// A table of an extension, which the model leaves out.
    ExtensionTable {
        name: RelationName,
        extension: String,
    },
}

/// A role for every table of a [`Graph`].
#[derive(Clone)]
pub struct Layout<'a> {
    pub graph: &'a Graph<'a>,
    /// Labels of the colocation groups.
    pub groups: Vec<String>,
    /// What an assignment said, where the layout came from one.
    pub named: Vec<Named>,
    placements: Vec<Placement>,
}

/// Names of PostgreSQL's system columns: they exist, yet no model lists them.
pub const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];

impl<'a> Layout<'a> {
    /// Everything local.
    pub fn local(graph: &'a Graph<'a>) -> Self {
        let placements = vec![Placement::Local; graph.schema.tables.len()];
        Layout { graph, groups: Vec::new(), named: Vec::new(), placements }
    }

    /// The layout that an assignment describes, changing nothing in it: a table not named is local, a partition follows
    /// its parent. Names without a schema are looked up along `search_path`. Tables without a group label share the group
    /// of their own distribution column's name.
    ///
    /// What cannot be (a view, a missing column, a partition named by itself) is kept in [`Layout::named`] for the rules
    /// to judge; only names that do not exist at all are errors.
    pub fn from_assignment(
        graph: &'a Graph<'a>,
        assignment: &Assignment,
        search_path: &[String],
        argument: &str,
    ) -> Result<Self, Error> {
        Self::assigned(graph, assignment, search_path, argument, Graph::find_column)
    }

    /// The same, where a distribution column may also be one that the table could be given (see [`crate::backfill`]).
    ///
    /// # Errors
    /// As [`Layout::from_assignment`].
    pub fn from_assignment_with_backfills(
        graph: &'a Graph<'a>,
        assignment: &Assignment,
        search_path: &[String],
        argument: &str,
    ) -> Result<Self, Error> {
        let request =
            Request { overrides: assignment.clone(), search_path: search_path.to_vec(), ..Request::default() };
        graph.look_for_backfills(&columns_asked_for(graph, &request));
        Self::assigned(graph, assignment, search_path, argument, Graph::find_column_or_backfill)
    }

    fn assigned(
        graph: &'a Graph<'a>,
        assignment: &Assignment,
        search_path: &[String],
        argument: &str,
        find_column: FindColumn<'a>,
    ) -> Result<Self, Error> {
        let mut layout = Layout::local(graph);
        layout.named = resolve(graph, assignment, search_path, argument, find_column)?;
        let mut labels: BTreeMap<String, GroupId> = BTreeMap::new();
        for named in layout.named.clone() {
            let Target::Table(table) = named.target else { continue };
            if graph.is_partition(table) {
                continue;
            }
            let placement = match (named.entry.role, named.entry.column.as_deref()) {
                (Role::Reference, _) => Placement::Reference,
                (Role::Distributed, Some(column)) => {
                    let label = named.entry.group.clone().unwrap_or_else(|| column.to_owned());
                    let next = labels.len();
                    let group = *labels.entry(label.clone()).or_insert(next);
                    if group == layout.groups.len() {
                        layout.groups.push(label);
                    }
                    match find_column(graph, table, column) {
                        Some(column) => Placement::Distributed { column, group },
                        None => Placement::Local,
                    }
                }
                _ => Placement::Local,
            };
            layout.place(table, placement);
        }
        Ok(layout)
    }

    pub fn placement(&self, table: TableId) -> Placement {
        self.placements[table.0]
    }

    /// Places a table and, with it, its partitions; they know the distribution column by its name.
    pub fn place(&mut self, table: TableId, placement: Placement) {
        self.placements[table.0] = placement;
        for partition in self.graph.descendants(table) {
            self.placements[partition.0] = match placement {
                Placement::Distributed { column, group } => {
                    let name = &self.graph.column(table, column).name;
                    match self.graph.find_column_or_backfill(partition, name) {
                        Some(column) => Placement::Distributed { column, group },
                        None => Placement::Local,
                    }
                }
                other => other,
            };
        }
    }

    pub fn is_distributed(&self, table: TableId) -> bool {
        self.placement(table).is_distributed()
    }

    pub fn is_reference(&self, table: TableId) -> bool {
        self.placement(table) == Placement::Reference
    }

    pub fn is_local(&self, table: TableId) -> bool {
        self.placement(table) == Placement::Local
    }

    /// Raw name of the distribution column.
    pub fn distribution_column_name(&self, table: TableId) -> Option<&'a str> {
        self.placement(table).distribution_column().map(|c| self.graph.column(table, c).name.as_str())
    }

    /// Planned tables of a group, in the model's order.
    pub fn members(&self, group: GroupId) -> Vec<TableId> {
        self.graph.planned_tables().filter(|&t| self.placement(t).group() == Some(group)).collect()
    }

    /// Planned tables of each group, in the model's order.
    pub fn members_by_group(&self) -> Vec<Vec<TableId>> {
        let mut members = vec![Vec::new(); self.groups.len()];
        for table in self.graph.planned_tables() {
            if let Some(group) = self.placement(table).group() {
                members[group].push(table);
            }
        }
        members
    }

    /// The layout as an assignment that can be passed back as `overrides`: every planned table by its full name.
    pub fn to_assignment(&self) -> Assignment {
        let entry = |table: TableId| match self.placement(table) {
            Placement::Distributed { column, group } => Entry {
                role: Role::Distributed,
                column: Some(self.graph.column(table, column).name.clone()),
                group: Some(self.groups[group].clone()),
            },
            other => Entry { role: other.role(), column: None, group: None },
        };
        Assignment(self.graph.planned_tables().map(|t| (self.graph.table(t).name.to_string(), entry(t))).collect())
    }
}

/// Looks up a column by its raw name.
pub type FindColumn<'a> = fn(&Graph<'a>, TableId, &str) -> Option<ColumnId>;

/// Distribution columns named by a request, or by a migration that has begun, where the table has none of that name. Names
/// that do not exist at all are left out: somebody else refuses them.
pub fn columns_asked_for(graph: &Graph<'_>, request: &Request) -> Vec<(TableId, String)> {
    let asked = request.overrides.0.iter().filter_map(|(written, entry)| {
        let column = entry.column.as_ref()?;
        match resolve_name(graph, written, &request.search_path, "overrides") {
            Ok(Target::Table(table)) if graph.find_column(table, column).is_none() => Some((table, column.clone())),
            _ => None,
        }
    });
    // A migration that was cut off names some too.
    let begun = graph.schema.unfinished.iter().flat_map(|u| &u.placements);
    let begun = begun.filter_map(|p| Some((graph.find(&p.table)?, p.distribution_column.clone()?)));
    asked.chain(begun.filter(|(table, column)| graph.find_column(*table, column).is_none())).collect()
}

/// Resolves the names of an assignment; `argument` is what the SQL argument is called.
///
/// # Errors
/// 22023 for what cannot be a name or names a table twice, 3F000 and 42P01 for what does not exist.
pub fn resolve<'a>(
    graph: &Graph<'a>,
    assignment: &Assignment,
    search_path: &[String],
    argument: &str,
    find_column: FindColumn<'a>,
) -> Result<Vec<Named>, Error> {
    let mut resolved: Vec<Named> = Vec::new();
    for (written, entry) in &assignment.0 {
        let target = resolve_name(graph, written, search_path, argument)?;
        let target = match (target, entry.column.as_deref()) {
            (Target::Table(table), Some(column)) if find_column(graph, table, column).is_none() => {
                Target::MissingColumn(table)
            }
            (target, _) => target,
        };
        if resolved.iter().any(|n| same_relation(&n.target, &target)) {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("relation \"{written}\" is named more than once in {argument}"),
            )
            .hint("Name each table once; \"t\" and \"public.t\" may be the same table."));
        }
        resolved.push(Named { target, entry: entry.clone() });
    }
    Ok(resolved)
}

fn same_relation(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Table(a) | Target::MissingColumn(a), Target::Table(b) | Target::MissingColumn(b)) => a == b,
        (Target::Other { name: a, .. }, Target::Other { name: b, .. })
        | (Target::ExtensionTable { name: a, .. }, Target::ExtensionTable { name: b, .. }) => a == b,
        _ => false,
    }
}

fn resolve_name(graph: &Graph<'_>, written: &str, search_path: &[String], argument: &str) -> Result<Target, Error> {
    let Some((schema, name)) = parse_qualified_name(written) else {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("invalid relation name \"{written}\" in {argument}"),
        )
        .hint("Write schema.table, with double quotes around names that need them."));
    };
    let candidates: Vec<RelationName> = match &schema {
        Some(schema) => vec![RelationName::new(schema, &name)],
        None => search_path.iter().map(|s| RelationName::new(s, &name)).collect(),
    };
    for candidate in &candidates {
        if let Some(target) = find(graph, candidate) {
            return Ok(target);
        }
    }
    if let Some(schema) = schema.filter(|s| !graph.schema.schemas.contains(s)) {
        return Err(Error::new(
            ErrorKind::UndefinedSchema,
            format!("schema \"{schema}\" of \"{written}\" in {argument} does not exist"),
        )
        .hint(schemas_hint(graph, &schema)));
    }
    let error = Error::new(ErrorKind::UndefinedTable, format!("relation \"{written}\" in {argument} does not exist"));
    Err(match similar_table(graph, &name) {
        // A name that brings quotes of its own needs no others.
        Some(similar) if similar.to_string().contains('"') => error.hint(format!("Perhaps you meant {similar}.")),
        Some(similar) => error.hint(format!("Perhaps you meant \"{similar}\".")),
        None => error.hint("SELECT relation FROM advisor.plan_tables(); lists the tables."),
    })
}

fn find(graph: &Graph<'_>, name: &RelationName) -> Option<Target> {
    if let Some(table) = graph.find(name) {
        return Some(Target::Table(table));
    }
    if let Some(view) = graph.schema.views.iter().find(|v| v.name == *name) {
        let kind = if view.materialized { "materialized view" } else { "view" };
        return Some(Target::Other { name: name.clone(), kind });
    }
    if graph.schema.sequences.iter().any(|s| s.name == *name) {
        return Some(Target::Other { name: name.clone(), kind: "sequence" });
    }
    let table = graph.schema.extension_tables.iter().find(|t| t.name == *name)?;
    Some(Target::ExtensionTable { name: name.clone(), extension: table.extension.clone() })
}

/// The hint for a schema that does not exist: what there is.
pub fn schemas_hint(graph: &Graph<'_>, wanted: &str) -> String {
    match closest(wanted, graph.schema.schemas.iter().map(String::as_str)) {
        Some(similar) => format!("Perhaps you meant \"{similar}\"."),
        None => format!("The schemas are: {}.", graph.schema.schemas.join(", ")),
    }
}

/// The hint for a column that does not exist: the nearest one, or all of them.
pub fn columns_hint(graph: &Graph<'_>, table: TableId, wanted: &str) -> String {
    let columns = || graph.table(table).columns.iter().map(|c| c.name.as_str());
    if let Some(folded) = columns().find(|c| c.eq_ignore_ascii_case(wanted.trim_matches('"'))) {
        return format!("Column names are written raw, without quotes or case folding: \"{folded}\".");
    }
    match closest(wanted, columns()) {
        Some(similar) => format!("Perhaps you meant \"{similar}\"."),
        None => format!("Its columns are: {}.", columns().collect::<Vec<_>>().join(", ")),
    }
}

fn similar_table(graph: &Graph<'_>, wanted: &str) -> Option<RelationName> {
    let tables: Vec<_> = graph.schema.tables.iter().filter(|t| t.kind != TableKind::Foreign).map(|t| &t.name).collect();
    let similar = closest(wanted, tables.iter().map(|t| t.name.as_str()))?;
    tables.into_iter().find(|t| t.name == similar).cloned()
}

/// The name nearest to what was written, if it is near enough to be a slip of the pen.
fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = wanted.to_lowercase();
    names
        .map(|n| (edit_distance(&wanted, &n.to_lowercase()), n))
        .filter(|&(distance, n)| distance <= 1 + n.chars().count() / 4)
        .min()
        .map(|(_, n)| n)
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
