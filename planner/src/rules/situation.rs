//! What Citus has made of a layout by the time it looks at keys, triggers and foreign keys.
//!
//! A table that Citus refuses stays local: its own objects, and the foreign keys to it, are then those of a local table.
//! So tables are judged first, in the order in which a script would convert them; what is refused leaves the layout, and
//! everything else is judged under what remains. The objections to a refused table name everything that stands in the
//! way of the table itself; its keys and foreign keys are judged again when those are solved.
//!
//! Foreign keys are then added one by one in the order of pg_dump, for one that connects a local table with a reference
//! table changes what its neighbours are: Citus takes the local table, and every local table connected with it, into its
//! metadata ("Citus local", here: managed), which may fail, and after which other foreign keys are refused.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{
    Check, ColumnCase, Finding, ForeignKeyCase, KeyCase, ObjectType, Objection, Rule, TableCase, is_key,
};
use super::{in_force, objection_to_key};
use crate::assignment::Role;
use crate::graph::{EdgeId, Graph, TableId};
use crate::layout::{Layout, Placement, Target};
use crate::schema::{Index, RelationName};

/// A layout as far as Citus accepts it, and what happens to its foreign keys in turn.
pub struct Situation<'a> {
    /// What was asked for, less the tables that Citus refuses: they are local.
    pub layout: Layout<'a>,
    /// Which tables Citus refuses under the role they were given.
    pub refused: Vec<bool>,
    /// Which local tables are in Citus' metadata in the end, partitions included.
    pub managed: Vec<bool>,
    /// What the refusals say.
    pub refusals: Vec<Finding>,
    /// Per edge: whether the sides are managed when the foreign key is added, before it converts anything.
    managed_before: Vec<(bool, bool)>,
    /// Foreign keys refused because a table in their way cannot be managed: rule and message.
    pub failed_conversions: Vec<(EdgeId, &'static Rule, String)>,
    /// Foreign keys whose target key is refused.
    pub without_target: Vec<EdgeId>,
}

impl<'a> Situation<'a> {
    pub fn new(asked: &Layout<'a>) -> Self {
        let mut situation = Situation {
            layout: asked.clone(),
            refused: vec![false; asked.graph.schema.tables.len()],
            managed: vec![false; asked.graph.schema.tables.len()],
            refusals: Vec::new(),
            managed_before: vec![(false, false); asked.graph.edges.len()],
            failed_conversions: Vec::new(),
            without_target: Vec::new(),
        };
        situation.refuse_for_themselves(asked);
        situation.refuse_newcomers(asked);
        situation.add_foreign_keys();
        situation
    }

    /// The foreign key as Citus meets it.
    pub fn foreign_key_case(&self, edge: EdgeId) -> ForeignKeyCase<'a> {
        let mut case = ForeignKeyCase::declared(&self.layout, &self.layout.graph.edges[edge]);
        (case.referencing_managed, case.referenced_managed) = self.managed_before[edge];
        case
    }

    /// Whether the table is one that Citus knows: distributed, reference or managed.
    pub fn is_known(&self, table: TableId) -> bool {
        !self.layout.is_local(table) || self.managed[table.0]
    }

    fn refuse(&mut self, table: TableId, finding: Finding) {
        self.refusals.push(finding);
        self.refused[table.0] = true;
    }

    /// Tables that would be refused whatever the others are.
    fn refuse_for_themselves(&mut self, asked: &Layout<'a>) {
        let graph = asked.graph;
        // Partitions come later, see [`Situation::refuse_partitions`].
        for (rule, finding) in named_findings(asked) {
            match graph.find(&finding.relation) {
                Some(table) if graph.is_partition(table) => {}
                Some(table) if rule.is_blocking() => self.refuse(table, finding),
                _ => self.refusals.push(finding),
            }
        }
        for rule in in_force(&self.layout) {
            match rule.check {
                Check::Table { applies, word } if rule.is_blocking() => {
                    for table in graph.planned_tables() {
                        let case = TableCase { table };
                        if applies(asked, &case) {
                            let name = &graph.table(table).name;
                            self.refuse(table, rule.finding(name, ObjectType::Table, &name.name, word(asked, &case)));
                        }
                    }
                }
                Check::DistributionColumn { applies, word } if rule.is_blocking() => {
                    for table in graph.planned_tables() {
                        let Some(column) = asked.placement(table).distribution_column() else { continue };
                        let case = ColumnCase { table, column };
                        if applies(asked, &case) {
                            let (name, column) = (&graph.table(table).name, &graph.column(table, column).name);
                            self.refuse(table, rule.finding(name, ObjectType::Column, column, word(asked, &case)));
                        }
                    }
                }
                _ => {}
            }
        }
        for table in graph.planned_tables().filter(|t| self.refused[t.0]).collect::<Vec<_>>() {
            self.layout.place(table, Placement::Local);
        }
    }

    /// Tables that are refused next to those before them. Those refused already hear this objection too, after the others
    /// of their kind.
    fn refuse_newcomers(&mut self, asked: &Layout<'a>) {
        let graph = asked.graph;
        let mut order = conversion_order(&self.layout);
        order.extend(graph.planned_tables().filter(|&t| self.refused[t.0] && !asked.is_local(t)));
        order.sort_by_key(|&t| !asked.is_reference(t));
        // Nor does a distribution column that is missing keep Citus from looking at what the table depends on, which it
        // does first and whatever the column.
        let without_column: Vec<TableId> = named_tables(asked).filter(|n| n.2).map(|n| n.0).collect();
        order.extend(without_column.iter().filter(|&&t| !graph.is_partition(t)));
        for &table in &order {
            self.layout.place(table, Placement::Local);
        }
        let mut accepted: Vec<TableId> = Vec::new();
        for table in order {
            let asked_for = if without_column.contains(&table) { Placement::Reference } else { asked.placement(table) };
            self.layout.place(table, asked_for);
            self.ask_newcomer(table, &accepted);
            if self.refused[table.0] {
                self.layout.place(table, Placement::Local);
            } else {
                accepted.push(table);
            }
        }
        self.refuse_partitions(&accepted);
    }

    fn ask_newcomer(&mut self, table: TableId, accepted: &[TableId]) {
        for rule in in_force(&self.layout) {
            let (Check::Newcomer(refuses) | Check::NewcomerAndObjects { refuses, .. }) = rule.check else {
                continue;
            };
            if let Some((object_type, name, objection)) = refuses(&self.layout, table, accepted) {
                let relation = &self.layout.graph.table(table).name;
                self.refuse(table, rule.finding(relation, object_type, &name, objection));
            }
        }
    }

    /// Partitions that are named: their turn comes when it is known whether the call for the parent has taken them along.
    /// Where it has not, Citus looks at what a partition depends on before it looks whose it is.
    fn refuse_partitions(&mut self, accepted: &[TableId]) {
        let graph = self.layout.graph;
        for (rule, finding) in named_findings(&self.layout) {
            match graph.find(&finding.relation).filter(|&t| graph.is_partition(t)) {
                Some(table) if rule.is_blocking() => self.refuse(table, finding),
                Some(_) => self.refusals.push(finding),
                None => {}
            }
        }
        let left_behind = |t: TableId| graph.is_partition(t) && self.layout.is_local(graph.root(t));
        let named = named_tables(&self.layout).filter(|(_, entry, _)| entry.role != Role::Local);
        let alone: Vec<TableId> = named.map(|n| n.0).filter(|&t| left_behind(t)).collect();
        for table in alone {
            self.layout.place(table, Placement::Reference);
            self.ask_newcomer(table, accepted);
            self.layout.place(table, Placement::Local);
        }
    }

    fn add_foreign_keys(&mut self) {
        let graph = self.layout.graph;
        let mut order: Vec<EdgeId> = (0..graph.edges.len()).collect();
        order.sort_by_key(|&edge| {
            let e = &graph.edges[edge];
            let name = &graph.table(e.referencing).name;
            (&name.schema, &graph.foreign_key(e).name, &name.name)
        });
        let mut accepted = Accepted::new(graph.schema.tables.len());
        for edge in order {
            let e = &graph.edges[edge];
            self.managed_before[edge] = (self.managed[e.referencing.0], self.managed[e.referenced.0]);
            let mut case = self.foreign_key_case(edge);
            let mut converted = BTreeSet::new();
            if let Some(table) = case.converts(&self.layout) {
                if graph.is_partition(table) {
                    continue;
                }
                converted = accepted.component(graph, table);
                let failures = self.conversion_failures(table, &converted, &accepted.within(&converted));
                if !failures.is_empty() {
                    self.failed_conversions.extend(failures.into_iter().map(|(rule, message)| (edge, rule, message)));
                    continue;
                }
                case.referencing_managed |= converted.contains(&graph.root(e.referencing));
                case.referenced_managed |= converted.contains(&graph.root(e.referenced));
            }
            if !self.has_target(&case) {
                self.without_target.push(edge);
                continue;
            }
            if super::foreign_key_refusal(&self.layout, &case).is_some() {
                continue;
            }
            accepted.push(graph, edge);
            for root in converted.into_iter().filter(|&t| self.layout.is_local(t)) {
                self.managed[root.0] = true;
                for partition in graph.descendants(root) {
                    self.managed[partition.0] = true;
                }
            }
        }
    }

    /// Why Citus cannot take these tables into its metadata, in its own words: every objection, of which it says one.
    fn conversion_failures(
        &self,
        table: TableId,
        component: &BTreeSet<TableId>,
        accepted: &[EdgeId],
    ) -> Vec<(&'static Rule, String)> {
        let graph = self.layout.graph;
        let mut failures: Vec<(&'static Rule, String)> = Vec::new();
        let plain = |t: &TableId| self.layout.is_local(*t) && !self.managed[t.0];
        let cascades = component.len() > 1 || !graph.partitions(graph.root(table)).is_empty();
        for &member in component.iter().filter(|_| cascades) {
            let rule = &super::multi_level_partitioning::RULE;
            if let Some(message) = rule.conversion.and_then(|refuses| refuses(&self.layout, member, &|_| true)) {
                failures.push((rule, message));
            }
        }
        let with_own_key = accepted.iter().map(|&e| &graph.edges[e]).find_map(|e| {
            let inside = component.contains(&graph.root(e.referencing));
            [e.referencing, e.referenced].into_iter().find(|&t| inside && graph.is_partition(t))
        });
        if let Some(partition) = with_own_key {
            let name = &graph.table(partition).name;
            failures.push((
                &super::partition_noninherited_fk::RULE,
                format!(
                    "cannot cascade operation via foreign keys as partition table {name} involved in a foreign key \
                     relationship that is not inherited from its parent table"
                ),
            ));
        }
        let mut tables: Vec<TableId> = component.iter().copied().filter(plain).collect();
        // The table that the foreign key names is looked at before its neighbours.
        tables.sort_by_key(|&t| t != graph.root(table));
        for table in tables {
            let known = |t: TableId| t != table && (self.is_known(t) || component.contains(&graph.root(t)));
            for rule in in_force(&self.layout) {
                if let Some(message) = rule.conversion.and_then(|refuses| refuses(&self.layout, table, &known)) {
                    failures.push((rule, message));
                }
            }
        }
        if !failures.is_empty() {
            return failures;
        }
        // Its foreign keys are then made again, as those of managed tables.
        for &edge in accepted.iter().filter(|&&e| component.contains(&graph.root(graph.edges[e].referencing))) {
            let mut case = ForeignKeyCase::declared(&self.layout, &graph.edges[edge]);
            (case.referencing_managed, case.referenced_managed) = (true, true);
            let refusal = super::foreign_key_refusal(&self.layout, &case);
            if let Some((rule, word)) = refusal {
                failures.push((rule, word(&self.layout, &case).message));
            }
        }
        failures
    }

    /// Whether the referenced side still has a key for the foreign key to rest on.
    fn has_target(&self, case: &ForeignKeyCase<'_>) -> bool {
        let graph = self.layout.graph;
        let table = case.edge.referenced;
        let mut wanted: Vec<&str> = case.foreign_key.referenced_columns.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        let mut any = false;
        let kept = graph.table(table).indexes.iter().filter(|i| serves(i, &wanted)).any(|i| {
            any = true;
            self.keeps_key(table, i)
        });
        kept || !any
    }

    fn keeps_key(&self, table: TableId, index: &Index) -> bool {
        let graph = self.layout.graph;
        let parent = graph.table(table).partition_of.as_ref().and_then(|p| graph.find(p));
        let above = parent
            .zip(index.parent.as_ref())
            .and_then(|(table, name)| Some((table, graph.table(table).indexes.iter().find(|i| i.name == *name)?)));
        match above {
            Some((table, index)) => self.keeps_key(table, index),
            None => {
                !is_key(index)
                    || objection_to_key(&self.layout, &KeyCase { table, index }).is_none_or(|r| !r.is_blocking())
            }
        }
    }
}

/// Foreign keys that Citus has accepted so far, by the tables that they connect.
struct Accepted {
    /// Of each root: when it was accepted, and the foreign key.
    of: Vec<Vec<(usize, EdgeId)>>,
    count: usize,
}

impl Accepted {
    fn new(tables: usize) -> Self {
        Accepted { of: vec![Vec::new(); tables], count: 0 }
    }

    fn push(&mut self, graph: &Graph<'_>, edge: EdgeId) {
        let e = &graph.edges[edge];
        let (a, b) = (graph.root(e.referencing), graph.root(e.referenced));
        self.of[a.0].push((self.count, edge));
        if a != b {
            self.of[b.0].push((self.count, edge));
        }
        self.count += 1;
    }

    /// Roots of the tables that are connected with a table, itself included.
    fn component(&self, graph: &Graph<'_>, table: TableId) -> BTreeSet<TableId> {
        let mut open = vec![graph.root(table)];
        let mut found: BTreeSet<TableId> = open.iter().copied().collect();
        while let Some(next) = open.pop() {
            for &(_, edge) in &self.of[next.0] {
                let e = &graph.edges[edge];
                open.extend(
                    [graph.root(e.referencing), graph.root(e.referenced)].into_iter().filter(|&t| found.insert(t)),
                );
            }
        }
        found
    }

    /// The foreign keys of a component, in the order in which they were accepted.
    fn within(&self, component: &BTreeSet<TableId>) -> Vec<EdgeId> {
        let all: BTreeSet<(usize, EdgeId)> = component.iter().flat_map(|t| self.of[t.0].iter().copied()).collect();
        all.into_iter().map(|(_, edge)| edge).collect()
    }
}

/// What rules say of what an assignment names.
fn named_findings(layout: &Layout<'_>) -> Vec<(&'static Rule, Finding)> {
    let mut found = Vec::new();
    for rule in in_force(layout) {
        if let Check::Named(walk) = rule.check {
            walk(layout, &mut |relation, object_type, name, objection| {
                found.push((rule, rule.finding(relation, object_type, name, objection)));
            });
        }
    }
    found
}

/// Whether a foreign key to these columns (sorted) can rest on the index.
fn serves(index: &Index, wanted: &[&str]) -> bool {
    let mut columns: Vec<&str> = Vec::new();
    for column in index.columns.iter().filter(|c| c.key) {
        match &column.column {
            Some(name) => columns.push(name),
            None => return false,
        }
    }
    columns.sort_unstable();
    index.unique
        && index.valid
        && index.predicate.is_none()
        && index.constraint.as_ref().is_none_or(|c| !c.deferrable)
        && columns == wanted
}

/// The order in which a script converts tables: reference tables first, then group by group, each led by the table that
/// the others most likely follow. A table comes after those whose row type it uses.
///
/// An assignment has no order, and where tables of a group do not fit together Citus refuses the later ones. The leader is
/// the table whose distribution column alone is a key (the root of the group); among several, or without any, the one
/// whose column type most members share.
pub fn conversion_order(layout: &Layout<'_>) -> Vec<TableId> {
    let graph = layout.graph;
    let mut order: Vec<TableId> = graph.planned_tables().filter(|&t| layout.is_reference(t)).collect();
    for members in layout.members_by_group() {
        let signature = |t: TableId| {
            let column = layout.placement(t).distribution_column().map(|c| graph.column(t, c));
            column.map(|c| (&c.data_type, c.collation.as_ref().map(|c| &c.name)))
        };
        let mut like = BTreeMap::new();
        for &table in &members {
            *like.entry(signature(table)).or_insert(0) += 1;
        }
        let mut ranked: Vec<_> =
            members.iter().map(|&t| (!is_root(layout, t), usize::MAX - like[&signature(t)], t)).collect();
        ranked.sort_unstable();
        order.extend(ranked.into_iter().map(|(.., t)| t));
    }
    let mut sorted = Vec::with_capacity(order.len());
    let mut open = vec![true; graph.schema.tables.len()];
    for &table in &order {
        after_what_it_uses(layout, table, &mut open, &mut sorted);
    }
    // Reference tables stay in front: a script makes them first.
    let odd = tables_with_an_odd_sequence(layout, &sorted);
    sorted.sort_by_key(|&t| (!layout.is_reference(t), odd.contains(&t)));
    sorted
}

fn after_what_it_uses(layout: &Layout<'_>, table: TableId, open: &mut [bool], sorted: &mut Vec<TableId>) {
    if !std::mem::take(&mut open[table.0]) {
        return;
    }
    for used in super::default_or_check_depends_on_table::used_tables(layout, table, false) {
        if !layout.is_local(used) {
            after_what_it_uses(layout, used, open, sorted);
        }
    }
    sorted.push(table);
}

/// Tables that draw from a shared sequence for a column of another type than most of its columns (or, failing a majority,
/// than the sequence itself) have: whichever comes later is refused, so they come last.
fn tables_with_an_odd_sequence(layout: &Layout<'_>, tables: &[TableId]) -> BTreeSet<TableId> {
    let graph = layout.graph;
    let mut uses: BTreeMap<&RelationName, Vec<(TableId, &str)>> = BTreeMap::new();
    for &table in tables {
        for column in graph.table(table).columns.iter().filter(|c| c.identity.is_none()) {
            for sequence in &column.sequences {
                uses.entry(sequence).or_default().push((table, column.data_type.as_str()));
            }
        }
    }
    let mut odd = BTreeSet::new();
    for (name, uses) in uses {
        let own = graph.sequence(name).map_or("", |s| match s.data_type.as_str() {
            "smallint" => "pg_catalog.int2",
            "integer" => "pg_catalog.int4",
            _ => "pg_catalog.int8",
        });
        let count = |wanted: &str| uses.iter().filter(|(_, t)| *t == wanted).count();
        let usual = uses.iter().map(|&(_, t)| (count(t), t == own, t)).max_by_key(|&(count, own, _)| (count, own));
        let Some((_, _, usual)) = usual else { continue };
        // Of two types as frequent as each other the first stays usual.
        let usual = uses.iter().map(|&(_, t)| t).find(|&t| count(t) == count(usual) && (t == own) == (usual == own));
        odd.extend(uses.iter().filter(|(_, t)| Some(*t) != usual).map(|&(table, _)| table));
    }
    odd
}

/// Whether the distribution column is a key of the table by itself.
fn is_root(layout: &Layout<'_>, table: TableId) -> bool {
    let Some(name) = layout.distribution_column_name(table) else { return false };
    layout.graph.table(table).indexes.iter().any(|i| serves(i, &[name]))
}

/// What a blocked object other than a table says when it is looked up by its rule: used by rules that report on foreign
/// keys which fail while a table is converted.
pub fn report_failed_conversions(situation: &Situation<'_>, findings: &mut Vec<Finding>) {
    let graph = situation.layout.graph;
    for (edge, rule, message) in &situation.failed_conversions {
        let e = &graph.edges[*edge];
        let (key, table) = (graph.foreign_key(e), graph.table(e.referencing));
        findings.push(rule.finding(
            &table.name,
            ObjectType::ForeignKey,
            &key.name,
            Objection {
                message: message.clone(),
                detail: Some(format!(
                    "The foreign key connects a local table with a reference table. Citus then takes the local table, \
                     and every local table connected with it, into its metadata, and that fails: {}.",
                    rule.title
                )),
                hint: Some("Solve what the message names first, or drop the foreign key.".to_owned()),
                fix_sql: Some(super::support::drop_constraint(&table.name, &key.name)),
            },
        ));
    }
}

/// The tables named by an assignment under a role other than local, with what was asked of them.
pub fn named_tables<'l>(layout: &'l Layout<'_>) -> impl Iterator<Item = (TableId, &'l crate::assignment::Entry, bool)> {
    layout.named.iter().filter_map(|named| match named.target {
        Target::Table(table) => Some((table, &named.entry, false)),
        Target::MissingColumn(table) => Some((table, &named.entry, true)),
        _ => None,
    })
}
