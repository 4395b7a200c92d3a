//! Which columns hold the same thing: columns that a foreign key equates, and, where no foreign key speaks, columns
//! whose name and type say so. Two tables distributed on columns of one class can be colocated and joined on a node.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::backfill::Backfills;
use crate::graph::{ColumnId, Graph, TableId};
use crate::schema::{Column, ConstraintKind, Index, IndexColumn, Table};

/// Position in [`ColumnClasses::classes`].
pub type ClassId = usize;

/// A set of columns of one type that hold the same thing.
#[derive(Clone, Debug)]
pub struct Class {
    /// Sorted by table, then column; of planned tables only.
    pub members: Vec<(TableId, ColumnId)>,
    /// The table whose key the class is about, with that column: `payment_users.user_id`.
    pub entity: Option<(TableId, ColumnId)>,
    /// What people call it: a column name that is not just `id`.
    pub label: String,
    /// Place of the entity's name among the usual tenants; 0 is best, [`NAMELESS`] means none of them.
    pub name_rank: usize,
}

/// Names of the usual tenants, best first: what decides between candidates that structure and sizes cannot tell apart.
const TENANT_NAMES: [&[&str]; 5] = [
    &["tenant"],
    &["customer"],
    &["account"],
    &["organization", "organisation", "org", "company", "workspace"],
    &["user"],
];

/// Rank of a class whose name is none of the usual tenants.
pub const NAMELESS: usize = TENANT_NAMES.len();

/// The classes of a schema.
#[derive(Clone)]
pub struct ColumnClasses {
    pub classes: Vec<Class>,
    class_of: HashMap<(TableId, ColumnId), ClassId>,
    inferred: BTreeSet<(TableId, ColumnId)>,
}

impl ColumnClasses {
    /// The classes of the columns that are there.
    pub fn new(graph: &Graph<'_>) -> Self {
        let mut sets = UnionFind::new(graph);
        let mut declared = BTreeSet::new();
        for edge in &graph.edges {
            for &(from, to) in &edge.columns {
                let ends = (at_root(graph, edge.referencing, from), at_root(graph, edge.referenced, to));
                let (Some(from), Some(to)) = ends else { continue };
                declared.extend([from, to]);
                if same_type(column(graph, from), column(graph, to)) {
                    sets.union(from, to);
                }
            }
        }
        together(graph, &mut sets);
        let inferred = infer(graph, &declared, &mut sets);
        let mut members: BTreeMap<usize, Vec<(TableId, ColumnId)>> = BTreeMap::new();
        for table in graph.planned_tables() {
            for column in 0..graph.table(table).columns.len() {
                members.entry(sets.find((table, column))).or_default().push((table, column));
            }
        }
        let mut members: Vec<_> = members.into_values().collect();
        // By what does not depend on the order of a table's columns.
        members.sort_by_cached_key(|members| {
            members.iter().map(|&(table, at)| (table, column(graph, (table, at)).name.as_str())).min()
        });
        let classes: Vec<Class> = members.into_iter().map(|members| describe(graph, members)).collect();
        let class_of = classes.iter().enumerate().flat_map(|(i, c)| c.members.iter().map(move |&m| (m, i))).collect();
        ColumnClasses { classes, class_of, inferred }
    }

    /// Puts the columns that tables could be given into the classes of what they copy. They are no members: only what is
    /// there says what a class is.
    pub fn include(&mut self, graph: &Graph<'_>, backfills: &Backfills) {
        for backfill in backfills.iter() {
            let real = graph.table(backfill.table).columns.len();
            let position = backfills.of(backfill.table).iter().position(|b| b.class == backfill.class);
            self.class_of.extend(position.map(|p| ((backfill.table, real + p), backfill.class)));
        }
    }

    pub fn class(&self, table: TableId, column: ColumnId) -> ClassId {
        self.class_of[&(table, column)]
    }

    /// Whether other tables have a column of the class too.
    pub fn is_shared(&self, table: TableId, column: ColumnId) -> bool {
        self.classes[self.class(table, column)].members.iter().any(|m| m.0 != table)
    }

    /// Whether a table has a column of a class.
    pub fn holds(&self, class: ClassId, table: TableId) -> bool {
        let members = &self.classes[class].members;
        members.get(members.partition_point(|m| m.0 < table)).is_some_and(|m| m.0 == table)
    }

    /// Place of a distribution column's name, 0 being best: among the usual tenants, then any that names something else, then
    /// the table's own key (`event_id` of `events`) that no other table shares, then what names nothing at all.
    pub fn rank(&self, graph: &Graph<'_>, table: TableId, column: ColumnId) -> usize {
        let class = &self.classes[self.class(table, column)];
        if class.name_rank < NAMELESS || self.is_shared(table, column) {
            return class.name_rank;
        }
        match entity_of(proper_name(graph, (table, column))) {
            Some(stem) if NO_ENTITIES.contains(&stem.as_str()) => NAMELESS + 1,
            Some(stem) => {
                let own = spelling(&singular(&graph.table(table).name.name.to_lowercase()));
                NAMELESS + usize::from(own.ends_with(&spelling(&stem)))
            }
            None => NAMELESS + 2,
        }
    }

    /// Whether only its name puts the column into its class.
    pub fn is_inferred(&self, table: TableId, column: ColumnId) -> bool {
        self.inferred.contains(&(table, column))
    }
}

/// What a plan that has begun to move its tables took for the same thing still is: between the steps nothing else may say so.
fn together(graph: &Graph<'_>, sets: &mut UnionFind) {
    let Some(unfinished) = &graph.schema.unfinished else { return };
    let mut first: BTreeMap<&str, (TableId, ColumnId)> = BTreeMap::new();
    for begun in &unfinished.placements {
        let column = begun.distribution_column.as_deref();
        let at = graph.find(&begun.table).and_then(|t| Some((t, graph.find_column(t, column?)?)));
        let Some((at, group)) = at.zip(begun.colocation_group.as_deref()) else { continue };
        let leader = *first.entry(group).or_insert(at);
        if same_type(self::column(graph, leader), self::column(graph, at)) {
            sets.union(leader, at);
        }
    }
}

fn column<'g>(graph: &'g Graph<'_>, at: (TableId, ColumnId)) -> &'g Column {
    graph.column(at.0, at.1)
}

/// The column of the partitioned table that a partition's column belongs to.
fn at_root(graph: &Graph<'_>, table: TableId, column: ColumnId) -> Option<(TableId, ColumnId)> {
    let root = graph.root(table);
    if root == table {
        return Some((table, column));
    }
    Some((root, graph.find_column(root, &graph.column(table, column).name)?))
}

/// Whether Citus would let both columns share a colocation group: equal type (not modifier) and collation.
pub fn same_type(a: &Column, b: &Column) -> bool {
    a.data_type == b.data_type && a.collation == b.collation
}

/// Joins columns without a foreign key to a class by name: the class of declared columns of that name, the key of the
/// table of that name (`shop_id` to `shops.id`), or other columns of that name. Returns what was joined.
fn infer(
    graph: &Graph<'_>,
    declared: &BTreeSet<(TableId, ColumnId)>,
    sets: &mut UnionFind,
) -> BTreeSet<(TableId, ColumnId)> {
    let leading = leading_names(graph);
    // By spelling without case and underscores: `customer_id` and `customerId` are one name.
    let mut by_name: BTreeMap<String, (String, Vec<(TableId, ColumnId)>)> = BTreeMap::new();
    for table in graph.planned_tables() {
        for position in 0..graph.table(table).columns.len() {
            let name = proper_name(graph, (table, position));
            let (spelled, stem) = (spelling(name), entity_of(name));
            let is_key = name.to_lowercase().ends_with("_key");
            let stem = match stem {
                // `cache_key`, `api_key` name something only where there is such a table.
                Some(stem) if is_key && tables_called(graph, &stem).is_empty() => None,
                Some(stem) if NO_ENTITIES.contains(&stem.as_str()) => None,
                stem => stem,
            };
            if let Some(stem) = stem.or_else(|| leading.contains(&spelled).then(|| name.to_lowercase())) {
                by_name.entry(spelled).or_insert_with(|| (stem, Vec::new())).1.push((table, position));
            }
        }
    }
    let mut inferred = BTreeSet::new();
    for (stem, columns) in by_name.into_values() {
        let entity = tables_called(graph, &stem);
        let fits = |at: (TableId, ColumnId), other: (TableId, ColumnId)| {
            other != at && same_type(column(graph, other), column(graph, at))
        };
        // Foreign keys of several columns say that both tables have the same tenant, not who that is.
        if let &[key] = entity {
            for &at in columns.iter().filter(|&&at| declared.contains(&at) && fits(at, key)) {
                if is_in_composites_only(graph, at) && sets.find(at) != sets.find(key) {
                    sets.union(at, key);
                    inferred.insert(at);
                }
            }
        }
        for &at in columns.iter().filter(|at| !declared.contains(at)) {
            let schema = &graph.table(at.0).name.schema;
            let nearby = |other: &&(TableId, ColumnId)| graph.table(other.0).name.schema == *schema;
            let anchors: Vec<_> = columns
                .iter()
                .filter(|c| declared.contains(c))
                .chain(entity)
                .filter(|c| fits(at, **c))
                .copied()
                .collect();
            let close: Vec<_> = anchors.iter().filter(nearby).copied().collect();
            let anchors = if close.is_empty() { anchors } else { close };
            // Columns of one name that lead to different things say nothing.
            let found: BTreeSet<usize> = anchors.iter().map(|&a| sets.find(a)).collect();
            let target = match found.len() {
                // Two keys of the same name are two things (customer_demographics, household_demographics).
                0 => columns
                    .iter()
                    .filter(|c| !(declared.contains(c) || is_key(graph, at) && is_key(graph, **c)))
                    .filter(|c| fits(at, **c))
                    .find(nearby)
                    .copied(),
                1 => anchors.first().copied(),
                _ => None,
            };
            if let Some(target) = target {
                sets.union(at, target);
                inferred.insert(at);
            }
        }
    }
    inferred
}

/// The prefix that every column of a table has in front of its name proper, as in `ss_item_sk`, `ss_store_sk` of
/// `store_sales`; empty where there is none, or where it is the table's own name (`device_id`, `device_name` of `devices`).
fn column_prefix(table: &Table) -> &str {
    let Some(first) = table.columns.first() else { return "" };
    let Some(length) = first.name.find('_').map(|at| at + 1) else { return "" };
    let prefix = &first.name[..length];
    let all = table.columns.len() > 2 && table.columns.iter().all(|c| c.name.starts_with(prefix));
    let own = singular(&table.name.name.to_lowercase()) == prefix[..prefix.len() - 1].to_lowercase();
    if all && !own { prefix } else { "" }
}

/// Whether a column is in foreign keys of several columns only.
fn is_in_composites_only(graph: &Graph<'_>, at: (TableId, ColumnId)) -> bool {
    let mut outgoing = graph.outgoing(at.0).filter(|e| e.columns.iter().any(|c| c.0 == at.1));
    let mut incoming = graph.incoming(at.0).filter(|e| e.columns.iter().any(|c| c.1 == at.1));
    outgoing.all(|e| e.columns.len() > 1) && incoming.all(|e| e.columns.len() > 1)
}

/// A column's name without the prefix that all columns of its table have.
fn proper_name<'g>(graph: &'g Graph<'_>, at: (TableId, ColumnId)) -> &'g str {
    let name = &graph.column(at.0, at.1).name;
    name.strip_prefix(column_prefix(graph.table(at.0))).unwrap_or(name)
}

/// A name without case and underscores.
fn spelling(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// `external_id` is each table's own, `parent_id` another row of the same table: words before `id` that name no table.
const NO_ENTITIES: [&str; 12] =
    ["external", "internal", "remote", "legacy", "public", "original", "parent", "root", "previous", "next", "row", ""];

/// Names that tell rows of one table apart, or describe them, whatever key they lead.
const OWN_NAMES: [&str; 20] = [
    "id", "uuid", "guid", "oid", "pk", "seq", "sequence", "key", "code", "name", "title", "slug", "type", "kind",
    "status", "state", "version", "position", "locale", "language",
];

/// Tables whose key has to begin with a column of a name, for the name to say what their rows belong to.
const LED_BY_NAME: usize = 3;

/// Names of columns that lead keys of several columns in several tables (`server_host` of `(server_host, username)`): they say
/// what rows belong to, though no `_id` does. As [`spelling`].
fn leading_names(graph: &Graph<'_>) -> BTreeSet<String> {
    let mut led: BTreeMap<String, usize> = BTreeMap::new();
    for table in graph.planned_tables() {
        let t = graph.table(table);
        // What stands before a column that tells rows apart by itself, or does so itself, may be there for the distribution only.
        let composite = t.indexes.iter().filter(|i| {
            let mut keys = i.columns.iter().filter(|c| c.key);
            let first = keys.next();
            let is_own = |c: &IndexColumn| c.column.as_deref().is_some_and(|name| tells_apart(graph, table, name));
            i.unique && !first.is_some_and(is_own) && keys.any(|c| !is_own(c))
        });
        let first = composite.filter_map(|i| graph.find_column(table, i.columns.first()?.column.as_deref()?));
        let names: BTreeSet<String> = first.map(|c| spelling(proper_name(graph, (table, c)))).collect();
        for name in names.into_iter().filter(|n| !OWN_NAMES.contains(&n.as_str())) {
            *led.entry(name).or_default() += 1;
        }
    }
    led.into_iter().filter(|(_, tables)| *tables >= LED_BY_NAME).map(|(name, _)| name).collect()
}

/// Whether no two rows have the same value of the column: its numbers are drawn for it, or it is a key of its own.
fn tells_apart(graph: &Graph<'_>, table: TableId, name: &str) -> bool {
    let t = graph.table(table);
    let is_alone =
        |i: &Index| i.unique && i.columns.iter().filter(|c| c.key).all(|c| c.column.as_deref() == Some(name));
    let Some(position) = graph.find_column(table, name) else { return false };
    let column = &t.columns[position];
    own_key(graph, table) == Some(position)
        || column.identity.is_some()
        || !column.sequences.is_empty()
        || t.indexes.iter().any(is_alone)
}

/// `user` of `user_id`, `userId`, `user_uuid`, `user_key`.
fn entity_of(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    for suffix in ["_id", "_uuid", "_key", "_sk"] {
        if let Some(stem) = lower.strip_suffix(suffix) {
            return Some(stem.to_owned());
        }
    }
    (name.ends_with("Id") || name.ends_with("ID")).then(|| lower[..lower.len() - 2].to_owned())
}

/// Single-column keys of tables that a column name points at.
fn tables_named_by<'g>(graph: &'g Graph<'_>, name: &str) -> &'g [(TableId, ColumnId)] {
    entity_of(name).map_or(&[], |stem| tables_called(graph, &stem))
}

/// Single-column keys of the tables of an entity.
fn tables_called<'g>(graph: &'g Graph<'_>, stem: &str) -> &'g [(TableId, ColumnId)] {
    graph.keys_by_entity().0.get(&spelling(stem)).map_or(&[], Vec::as_slice)
}

/// Single-column keys by what their tables are called: `user` or `users`, also `dim_user` and `user_dim` of a star; by
/// [`spelling`].
pub struct KeysByEntity(HashMap<String, Vec<(TableId, ColumnId)>>);

impl KeysByEntity {
    pub fn new(graph: &Graph<'_>) -> Self {
        let mut keys: HashMap<String, Vec<(TableId, ColumnId)>> = HashMap::new();
        for table in graph.planned_tables() {
            let Some(key) = own_key(graph, table) else { continue };
            let name = graph.table(table).name.name.to_lowercase();
            let plain = name.strip_prefix("dim_").or_else(|| name.strip_suffix("_dim")).unwrap_or(&name);
            let names = BTreeSet::from([spelling(&singular(plain)), spelling(plain)]);
            names.into_iter().for_each(|name| keys.entry(name).or_default().push((table, key)));
        }
        KeysByEntity(keys)
    }
}

/// Whether two columns of different tables hold the same thing for rows that reference each other, as far as names can tell:
/// both are called the same (`tenant_id`, `tenantId`), or one is the key of the table that the other is named after.
pub fn means_the_same(graph: &Graph<'_>, a: (TableId, ColumnId), b: (TableId, ColumnId)) -> bool {
    let name = |at: (TableId, ColumnId)| spelling(proper_name(graph, at));
    let named_after = |at: (TableId, ColumnId), key: (TableId, ColumnId)| {
        is_key(graph, key) && tables_named_by(graph, &graph.column(at.0, at.1).name).contains(&key)
    };
    // What was copied means what it was copied from.
    let copied = |at: (TableId, ColumnId)| graph.backfill(at.0, at.1).map(|b| b.class);
    let origin = |at| copied(at).or_else(|| graph.backfills()?.class_of_source(at));
    if (copied(a).is_some() || copied(b).is_some()) && origin(a).is_some() && origin(a) == origin(b) {
        return true;
    }
    // A migration that was cut off goes on as it began.
    let begun = |at: (TableId, ColumnId)| {
        let unfinished = graph.schema.unfinished.as_ref()?;
        unfinished.group_of(&graph.table(at.0).name, &graph.column(at.0, at.1).name)
    };
    if begun(a).is_some() && begun(a) == begun(b) {
        return true;
    }
    // `id` is each table's own.
    name(a) == name(b) && (name(a) != "id" || a.0 == b.0) || named_after(a, b) || named_after(b, a)
}

/// The column of the primary key that tells the rows apart: its only one, or `id` behind one that says whose they are. A
/// migration puts the distribution column in front of keys, and columns named after the table mean it as before.
fn own_key(graph: &Graph<'_>, table: TableId) -> Option<ColumnId> {
    let is_primary = |kind| kind == ConstraintKind::PrimaryKey;
    let index =
        graph.table(table).indexes.iter().find(|i| i.constraint.as_ref().is_some_and(|c| is_primary(c.kind)))?;
    let keys = index.columns.iter().filter(|c| c.key).map(|c| graph.find_column(table, c.column.as_deref()?));
    let keys: Vec<ColumnId> = keys.collect::<Option<_>>()?;
    let is_id = |&column: &ColumnId| spelling(proper_name(graph, (table, column))) == "id";
    match *keys {
        [only] => Some(only),
        [a, b] if is_id(&a) != is_id(&b) => Some(if is_id(&a) { a } else { b }),
        _ => None,
    }
}

fn is_key(graph: &Graph<'_>, at: (TableId, ColumnId)) -> bool {
    own_key(graph, at.0) == Some(at.1)
}

/// The English singular, as far as table names need it.
pub fn singular(name: &str) -> String {
    match name {
        n if n.ends_with("ies") && n.len() > 4 => format!("{}y", &n[..n.len() - 3]),
        n if ["sses", "xes", "ches", "shes"].iter().any(|e| n.ends_with(e)) => n[..n.len() - 2].to_owned(),
        n if n.ends_with('s') && !n.ends_with("ss") && n.len() > 2 => n[..n.len() - 1].to_owned(),
        n => n.to_owned(),
    }
}

fn describe(graph: &Graph<'_>, members: Vec<(TableId, ColumnId)>) -> Class {
    let incoming =
        |at: &(TableId, ColumnId)| graph.incoming(at.0).filter(|e| e.columns.iter().any(|&(_, to)| to == at.1)).count();
    let entity = members
        .iter()
        .filter(|&&m| is_key(graph, m) && (incoming(&m) > 0 || members.len() > 1))
        .max_by_key(|m| (incoming(m), std::cmp::Reverse(**m)))
        .copied();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for &(table, column) in &members {
        let t = graph.table(table);
        let name = &t.columns[column].name;
        *names.entry(name.strip_prefix(column_prefix(t)).unwrap_or(name)).or_default() += 1;
    }
    let telling = names
        .iter()
        .filter(|(n, _)| !n.eq_ignore_ascii_case("id"))
        // Of names that are as frequent one that says more: what it would be called otherwise changes nothing else.
        .max_by_key(|&(n, count)| {
            (*count, std::cmp::Reverse(rank(n)), std::cmp::Reverse(n.len()), std::cmp::Reverse(*n))
        });
    let label = match (telling, entity.or(members.first().copied())) {
        (Some((name, _)), _) => (*name).to_owned(),
        (None, Some((table, _))) => format!("{}_id", singular(&graph.table(table).name.name)),
        (None, None) => "id".to_owned(),
    };
    let name_rank = entity
        .map(|(table, _)| rank(&graph.table(table).name.name))
        .into_iter()
        .chain([rank(&label)])
        .min()
        .unwrap_or(NAMELESS);
    Class { members, entity, label, name_rank }
}

/// Place of a name among the usual tenants: by its last words, so that `payment_users` is a user and `user_settings` not.
fn rank(name: &str) -> usize {
    let stem = entity_of(name).unwrap_or_else(|| name.to_lowercase());
    let last = stem.rsplit(['_', '-', ' ', '.']).next().unwrap_or_default();
    let word = singular(last);
    TENANT_NAMES.iter().position(|names| names.contains(&word.as_str()) || names.contains(&last)).unwrap_or(NAMELESS)
}

/// Disjoint sets over all columns of a schema.
struct UnionFind {
    offsets: Vec<usize>,
    parents: Vec<usize>,
}

impl UnionFind {
    fn new(graph: &Graph<'_>) -> Self {
        let mut offsets = Vec::new();
        let mut total = 0;
        for table in graph.tables() {
            offsets.push(total);
            total += graph.table(table).columns.len();
        }
        UnionFind { offsets, parents: (0..total).collect() }
    }

    fn find(&mut self, at: (TableId, ColumnId)) -> usize {
        let mut node = self.offsets[at.0.0] + at.1;
        while self.parents[node] != node {
            self.parents[node] = self.parents[self.parents[node]];
            node = self.parents[node];
        }
        node
    }

    /// The smaller position becomes the representative, so that the order of unions does not matter.
    fn union(&mut self, a: (TableId, ColumnId), b: (TableId, ColumnId)) {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::RelationName;
    use crate::rules::testing::{TableBuilder, schema, table};

    #[test]
    fn names_rank_by_what_they_are_of() {
        assert_eq!(rank("tenant_id"), 0);
        assert_eq!(rank("payment_users"), 4);
        assert_eq!(rank("userId"), 4);
        assert_eq!(rank("companies"), 3);
        assert_eq!(rank("user_settings"), NAMELESS);
        assert_eq!(rank("merchant_id"), NAMELESS);
    }

    #[test]
    fn keys_widened_for_a_distribution_lead_no_name() {
        let led = |columns: &str, key: &str| {
            let tables = ["a", "b", "c"].map(|name| table(name).columns(columns).primary_key(key));
            leading_names(&Graph::new(&schema(tables))).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(led("server_host text, username text", "server_host, username"), ["serverhost"]);
        assert!(led("postid bigint, id bigint", "postid, id").is_empty());
        let numbered = ["a", "b", "c"].map(|name| {
            let drawn = |t: &mut Table| t.columns[1].sequences.push(RelationName::new("public", "s"));
            table(name).columns("postid bigint, number bigint").primary_key("postid, number").with(drawn)
        });
        assert!(leading_names(&Graph::new(&schema(numbered))).is_empty());
        // What is unique by itself says nothing of others.
        let alone = ["a", "b", "c"].map(|name| {
            table(name).columns("state bigint, number bigint").primary_key("state, number").unique("alone", "state")
        });
        assert!(leading_names(&Graph::new(&schema(alone))).is_empty());
    }

    #[test]
    fn singulars() {
        for (plural, one) in [("users", "user"), ("companies", "company"), ("boxes", "box"), ("address", "address")] {
            assert_eq!(singular(plural), one);
        }
    }
}
