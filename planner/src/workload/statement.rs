//! An analysed statement, plainly: what it reads and writes, what it equates, what it groups by.

use std::collections::{BTreeMap, BTreeSet};

use super::node_tree::{Node, Struct};
use crate::identifier::RelationName;

/// What the numbers in a parse tree stand for.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub relations: BTreeMap<u32, Relation>,
    /// Operators that some btree operator family calls equality.
    pub equality: BTreeSet<u32>,
    pub volatile_functions: BTreeSet<u32>,
    /// Functions that are not immutable, the volatile ones included.
    pub changing_functions: BTreeSet<u32>,
}

#[derive(Clone, Debug)]
pub struct Relation {
    pub name: RelationName,
    /// By `attnum`.
    pub columns: BTreeMap<i64, String>,
    /// The parse tree of a view's query.
    pub view: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Select,
    Update,
    Insert,
    Delete,
    Merge,
    Utility,
}

/// A query or a part of one.
#[derive(Clone, Debug)]
pub struct Query {
    pub command: Command,
    /// What an INSERT, UPDATE, DELETE or MERGE writes to: position in `sources`.
    pub target: Option<usize>,
    /// The range table.
    pub sources: Vec<Source>,
    /// What the statement calls each source.
    pub aliases: Vec<String>,
    pub from: Vec<From>,
    /// WHERE, or what MERGE joins on; all hold.
    pub conditions: Vec<Condition>,
    pub output: Vec<Output>,
    /// References into `output` (`Output::reference`).
    pub group_by: Vec<i64>,
    pub distinct: Vec<i64>,
    /// PARTITION BY of each window.
    pub windows: Vec<Vec<i64>>,
    pub aggregates: bool,
    pub grouping_sets: bool,
    pub limit: bool,
    /// FOR UPDATE, FOR SHARE.
    pub locks_rows: bool,
    pub recursive: bool,
    /// Calls a volatile function, here and not in a subquery.
    pub volatile: bool,
    /// Positions of the leaves of UNION, INTERSECT, EXCEPT in `sources`.
    pub set_leaves: Vec<usize>,
    pub ctes: Vec<Cte>,
    /// Subqueries in the select list, HAVING, RETURNING, ...
    pub scalars: Vec<Query>,
    /// Raw names of columns that UPDATE, ON CONFLICT or MERGE writes.
    pub sets: BTreeSet<String>,
    /// It is the query of a view: what is inside cannot be named outside.
    pub is_view: bool,
}

#[derive(Clone, Debug)]
pub struct Cte {
    pub name: String,
    pub query: Query,
    pub recursive: bool,
    pub materialized: bool,
    pub references: i64,
}

#[derive(Clone, Debug)]
pub enum Source {
    Table {
        name: RelationName,
        alias: String,
        columns: BTreeMap<i64, String>,
    },
    Subquery(Box<Query>),
    /// Of each column what it is.
    Join(Vec<Expression>),
    Cte {
        name: String,
        levels_up: usize,
    },
    /// Number of rows; the first one's values.
    Values(usize),
    /// A function, a table function, what has no rows of its own.
    Other,
}

#[derive(Clone, Debug)]
pub enum From {
    Source(usize),
    Join { kind: JoinKind, left: Box<From>, right: Box<From>, on: Vec<Condition> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Full,
    Right,
}

/// A column of a source, some levels of subqueries up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnRef {
    pub levels_up: usize,
    pub source: usize,
    pub number: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Column(ColumnRef),
    /// A constant, a parameter, or what is made of them: the same for the whole statement.
    Value,
    /// `NULL`
    Null,
    Other,
}

#[derive(Clone, Debug)]
pub enum Condition {
    Equal(Expression, Expression),
    /// `EXISTS (...)`, or `x IN (...)` with what is compared with which column of the subquery.
    Exists {
        negated: bool,
        equal: Vec<(Expression, i64)>,
        query: Box<Query>,
    },
    /// Anything else, with the subqueries in it.
    Other(Vec<Query>),
}

#[derive(Clone, Debug)]
pub struct Output {
    /// Place in the result, or number of the column that is written.
    pub number: i64,
    pub name: String,
    pub expression: Expression,
    /// What GROUP BY and DISTINCT refer to it by; 0 where they do not.
    pub reference: i64,
    pub junk: bool,
}

/// Why a tree cannot be described.
pub type Complaint = String;

/// Views within views.
const MOST_VIEWS: usize = 32;

impl Query {
    /// Describes a parse tree: a query, or a list of one.
    ///
    /// # Errors
    /// A sentence for what this does not know.
    pub fn read(tree: &str, names: &Names) -> Result<Query, Complaint> {
        let node = Node::parse(tree).ok_or("it is nested too deeply")?;
        let tree = match &node {
            Node::List(items) => items.first().and_then(Node::as_struct),
            node => node.as_struct(),
        };
        Reading { names, views: 0 }.query(tree.ok_or("it is no query")?)
    }
}

struct Reading<'n> {
    names: &'n Names,
    views: usize,
}

impl Reading<'_> {
    fn query(&mut self, q: &Struct) -> Result<Query, Complaint> {
        if q.tag != "QUERY" {
            return Err("it is no query".to_owned());
        }
        let command = match q.number("commandType") {
            1 => Command::Select,
            2 => Command::Update,
            3 => Command::Insert,
            4 => Command::Delete,
            5 if q.fields_has("mergeActionList") => Command::Merge,
            _ => Command::Utility,
        };
        let entries: Vec<&Struct> = q.field("rtable").structs().collect();
        let target = usize::try_from(q.number("resultRelation")).ok().and_then(|t| t.checked_sub(1));
        let used = used_entries(q, target);
        let mut sources = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            sources.push(if used.contains(&position) { self.source(entry)? } else { Source::Other });
        }
        let alias = |entry: &&Struct| entry.field("eref").as_struct().map(|a| a.field("aliasname").word().to_owned());
        let aliases = entries.iter().map(|entry| alias(entry).unwrap_or_default()).collect();
        let written = target.and_then(|t| match sources.get(t) {
            Some(Source::Table { columns, .. }) => Some(columns.clone()),
            _ => None,
        });
        if target.is_some() && written.is_none() {
            return Err("it writes through a view".to_owned());
        }
        let mut from = Vec::new();
        let tree = q.field("jointree").as_struct();
        for item in tree.map(|t| t.field("fromlist").items()).unwrap_or_default() {
            from.push(self.from(item)?);
        }
        let mut conditions = Vec::new();
        if let Some(tree) = tree {
            self.conditions(tree.field("quals"), &mut conditions)?;
        }
        // PostgreSQL 17 and later keep what MERGE joins on here.
        self.conditions(q.field("mergeJoinCondition"), &mut conditions)?;
        let mut scalars = Vec::new();
        let mut output = Vec::new();
        for entry in q.field("targetList").structs() {
            let expression = entry.field("expr");
            // INSERT ... VALUES (DEFAULT): as if it had not been named.
            if expression.as_struct().is_some_and(|e| e.tag == "SETTODEFAULT") {
                continue;
            }
            self.subqueries(expression, &mut scalars)?;
            output.push(Output {
                number: entry.number("resno"),
                name: entry.field("resname").word().to_owned(),
                expression: self.expression(expression),
                reference: entry.number("ressortgroupref"),
                junk: entry.flag("resjunk"),
            });
        }
        for part in ["havingQual", "returningList", "onConflict", "mergeActionList", "limitCount", "limitOffset"] {
            self.subqueries(q.field(part), &mut scalars)?;
        }
        let references = |part: &str| -> Vec<i64> {
            q.field(part).structs().map(|clause| clause.number("tleSortGroupRef")).collect()
        };
        let windows = q
            .field("windowClause")
            .structs()
            .map(|w| w.field("partitionClause").structs().map(|clause| clause.number("tleSortGroupRef")).collect());
        let mut ctes = Vec::new();
        for cte in q.field("cteList").structs() {
            let query = cte.field("ctequery").as_struct().ok_or("it has a CTE without a query")?;
            ctes.push(Cte {
                name: cte.field("ctename").word().to_owned(),
                query: self.query(query)?,
                recursive: cte.flag("cterecursive"),
                materialized: cte.number("ctematerialized") == 1,
                references: cte.number("cterefcount"),
            });
        }
        let mut sets = BTreeSet::new();
        let mut set = |list: &Node| {
            for entry in list.structs().filter(|e| !e.flag("resjunk")) {
                let name = written.as_ref().and_then(|w| w.get(&entry.number("resno")));
                sets.extend(name.cloned());
            }
        };
        if command == Command::Update {
            set(q.field("targetList"));
        }
        if let Some(conflict) = q.field("onConflict").as_struct() {
            set(conflict.field("onConflictSet"));
        }
        for action in q.field("mergeActionList").structs().filter(|a| a.number("commandType") == 2) {
            set(action.field("targetList"));
        }
        let mut set_leaves = Vec::new();
        set_operation_leaves(q.field("setOperations"), &mut set_leaves);
        Ok(Query {
            command,
            target,
            sources,
            aliases,
            from,
            conditions,
            output,
            group_by: references("groupClause"),
            distinct: references("distinctClause"),
            windows: if q.flag("hasWindowFuncs") { windows.collect() } else { Vec::new() },
            aggregates: q.flag("hasAggs"),
            grouping_sets: !q.field("groupingSets").is_nothing(),
            limit: !q.field("limitCount").is_nothing() || !q.field("limitOffset").is_nothing(),
            locks_rows: q.field("rowMarks").structs().any(|mark| !mark.flag("pushedDown")),
            recursive: q.flag("hasRecursive"),
            volatile: self.calls_volatile(q),
            set_leaves,
            ctes,
            scalars,
            sets,
            is_view: false,
        })
    }

    fn source(&mut self, entry: &Struct) -> Result<Source, Complaint> {
        match entry.number("rtekind") {
            0 => {
                let relation = self
                    .names
                    .relations
                    .get(&(entry.number("relid") as u32))
                    .ok_or("it reads a relation that nothing is known of")?;
                if let Some(view) = &relation.view
                    && entry.field("relkind").word() == "v"
                {
                    if self.views >= MOST_VIEWS {
                        return Err("its views are nested too deeply".to_owned());
                    }
                    let node = Node::parse(view).ok_or("its view is nested too deeply")?;
                    let tree = node.structs().next().ok_or("its view has no query")?;
                    self.views += 1;
                    let query = self.query(tree);
                    self.views -= 1;
                    return Ok(Source::Subquery(Box::new(Query { is_view: true, ..query? })));
                }
                let alias = entry.field("eref").as_struct().map(|a| a.field("aliasname").word()).unwrap_or_default();
                Ok(Source::Table {
                    name: relation.name.clone(),
                    alias: alias.to_owned(),
                    columns: relation.columns.clone(),
                })
            }
            1 => {
                let query = entry.field("subquery").as_struct().ok_or("it has a subquery without a query")?;
                Ok(Source::Subquery(Box::new(self.query(query)?)))
            }
            2 => Ok(Source::Join(entry.field("joinaliasvars").items().iter().map(|e| self.expression(e)).collect())),
            5 => Ok(Source::Values(entry.field("values_lists").items().len())),
            6 => Ok(Source::Cte {
                name: entry.field("ctename").word().to_owned(),
                levels_up: entry.number("ctelevelsup") as usize,
            }),
            // PostgreSQL 18: what GROUP BY made of expressions.
            9 => Ok(Source::Join(entry.field("groupexprs").items().iter().map(|e| self.expression(e)).collect())),
            _ => Ok(Source::Other),
        }
    }

    fn from(&mut self, item: &Node) -> Result<From, Complaint> {
        let s = item.as_struct().ok_or("its FROM cannot be read")?;
        match s.tag.as_str() {
            "RANGETBLREF" => Ok(From::Source((s.number("rtindex") - 1).max(0) as usize)),
            "JOINEXPR" => {
                let kind = match s.number("jointype") {
                    0 => JoinKind::Inner,
                    1 => JoinKind::Left,
                    2 => JoinKind::Full,
                    3 => JoinKind::Right,
                    _ => return Err("it has a join of an unknown kind".to_owned()),
                };
                let mut on = Vec::new();
                self.conditions(s.field("quals"), &mut on)?;
                let (left, right) = (self.from(s.field("larg"))?, self.from(s.field("rarg"))?);
                Ok(From::Join { kind, left: Box::new(left), right: Box::new(right), on })
            }
            // The items of a nested FROM are joined like those of the outer one.
            "FROMEXPR" => {
                let mut items = Vec::new();
                for item in s.field("fromlist").items() {
                    items.push(self.from(item)?);
                }
                let mut on = Vec::new();
                self.conditions(s.field("quals"), &mut on)?;
                let mut items = items.into_iter();
                let first = items.next().ok_or("its FROM is empty")?;
                Ok(items.fold(first, |left, right| From::Join {
                    kind: JoinKind::Inner,
                    left: Box::new(left),
                    right: Box::new(right),
                    on: std::mem::take(&mut on),
                }))
            }
            _ => Err("its FROM cannot be read".to_owned()),
        }
    }

    /// Conditions that all hold.
    fn conditions(&mut self, node: &Node, found: &mut Vec<Condition>) -> Result<(), Complaint> {
        let s = match node {
            Node::List(items) => return items.iter().try_for_each(|item| self.conditions(item, found)),
            Node::Struct(s) => s,
            Node::Word(_) => return Ok(()),
        };
        if s.tag == "BOOLEXPR" && s.field("boolop").word() == "and" {
            return self.conditions(s.field("args"), found);
        }
        let negated = s.tag == "BOOLEXPR" && s.field("boolop").word() == "not";
        let inner = if negated { s.field("args").items().first().and_then(Node::as_struct) } else { Some(s) };
        if let Some(link) = inner.filter(|i| i.tag == "SUBLINK")
            && let Some(condition) = self.exists(link, negated)?
        {
            found.push(condition);
            return Ok(());
        }
        let is_equality = |s: &Struct| self.names.equality.contains(&(s.number("opno") as u32));
        let args = s.field("args").items();
        // `x IN (one value)`
        let one_of = s.tag == "SCALARARRAYOPEXPR" && s.flag("useOr") && {
            let array = args.get(1).and_then(Node::as_struct);
            array.is_some_and(|a| a.tag == "ARRAYEXPR" && a.field("elements").items().len() == 1)
        };
        if (s.tag == "OPEXPR" || one_of) && args.len() == 2 && is_equality(s) {
            let (a, b) = (self.expression(&args[0]), self.expression(&args[1]));
            if a != Expression::Other && b != Expression::Other {
                found.push(Condition::Equal(a, b));
                return Ok(());
            }
        }
        let mut subqueries = Vec::new();
        self.subqueries(node, &mut subqueries)?;
        found.push(Condition::Other(subqueries));
        Ok(())
    }

    /// `EXISTS` and `IN`; other subqueries are left to the caller.
    fn exists(&mut self, link: &Struct, negated: bool) -> Result<Option<Condition>, Complaint> {
        const EXISTS: i64 = 0;
        const ANY: i64 = 2;
        let kind = link.number("subLinkType");
        let mut equal = Vec::new();
        if kind == ANY {
            let mut tests = Vec::new();
            operators(link.field("testexpr"), &mut tests);
            for test in &tests {
                let args = test.field("args").items();
                let inner = args.get(1).map(strip_casts).and_then(Node::as_struct).filter(|p| p.tag == "PARAM");
                let (Some(inner), true) = (inner, self.names.equality.contains(&(test.number("opno") as u32))) else {
                    return Ok(None);
                };
                equal.push((self.expression(&args[0]), inner.number("paramid")));
            }
        } else if kind != EXISTS {
            return Ok(None);
        }
        let query = link.field("subselect").as_struct().ok_or("it has a subquery without a query")?;
        Ok(Some(Condition::Exists { negated, equal, query: Box::new(self.query(query)?) }))
    }

    /// The subqueries of an expression.
    fn subqueries(&mut self, node: &Node, found: &mut Vec<Query>) -> Result<(), Complaint> {
        match node {
            Node::Word(_) => Ok(()),
            Node::List(items) => items.iter().try_for_each(|item| self.subqueries(item, found)),
            Node::Struct(s) if s.tag == "SUBLINK" => {
                let query = s.field("subselect").as_struct().ok_or("it has a subquery without a query")?;
                found.push(self.query(query)?);
                self.subqueries(s.field("testexpr"), found)
            }
            Node::Struct(s) => s.values().try_for_each(|value| self.subqueries(value, found)),
        }
    }

    fn expression(&self, node: &Node) -> Expression {
        let node = strip_casts(node);
        match node.as_struct() {
            Some(s) if s.tag == "VAR" => Expression::Column(ColumnRef {
                levels_up: s.number("varlevelsup") as usize,
                source: (s.number("varno") - 1).max(0) as usize,
                number: s.number("varattno"),
            }),
            Some(s) if s.tag == "CONST" && s.flag("constisnull") => Expression::Null,
            _ if !node.is_nothing() && self.is_value(node) => Expression::Value,
            _ => Expression::Other,
        }
    }

    /// Whether an expression is the same for the whole statement, and known before it runs.
    fn is_value(&self, node: &Node) -> bool {
        match node {
            Node::Word(_) => true,
            Node::List(items) => items.iter().all(|item| self.is_value(item)),
            Node::Struct(s) => {
                let function = ["funcid", "opfuncid"].into_iter().map(|f| s.number(f) as u32);
                !matches!(
                    s.tag.as_str(),
                    "VAR"
                        | "SUBLINK"
                        | "AGGREF"
                        | "WINDOWFUNC"
                        | "GROUPINGFUNC"
                        | "SETTODEFAULT"
                        | "SQLVALUEFUNCTION"
                        | "NEXTVALUEEXPR"
                        | "CURRENTOFEXPR"
                        | "COERCEVIAIO"
                ) && !function.into_iter().any(|f| self.names.changing_functions.contains(&f))
                    && s.values().all(|value| self.is_value(value))
                    || s.tag == "COERCEVIAIO" && self.is_value(s.field("arg"))
            }
        }
    }

    /// Whether a query calls a volatile function itself.
    fn calls_volatile(&self, q: &Struct) -> bool {
        ["targetList", "jointree", "havingQual", "returningList", "onConflict", "mergeActionList"]
            .iter()
            .any(|part| self.is_volatile(q.field(part)))
    }

    fn is_volatile(&self, node: &Node) -> bool {
        match node {
            Node::Word(_) => false,
            Node::List(items) => items.iter().any(|item| self.is_volatile(item)),
            Node::Struct(s) if s.tag == "QUERY" => false,
            Node::Struct(s) => {
                let mut functions = ["funcid", "opfuncid"].into_iter().map(|f| s.number(f) as u32);
                functions.any(|f| self.names.volatile_functions.contains(&f))
                    || s.values().any(|value| self.is_volatile(value))
            }
        }
    }
}

impl Struct {
    fn fields_has(&self, name: &str) -> bool {
        !self.field(name).is_nothing()
    }
}

/// The entries of the range table that a query uses; the rest are left-overs of views.
fn used_entries(q: &Struct, target: Option<usize>) -> BTreeSet<usize> {
    fn from(node: &Node, used: &mut BTreeSet<usize>) {
        match node {
            Node::Word(_) => {}
            Node::List(items) => items.iter().for_each(|item| from(item, used)),
            Node::Struct(s) => match s.tag.as_str() {
                "RANGETBLREF" | "JOINEXPR" => {
                    used.extend(usize::try_from(s.number("rtindex") - 1).ok());
                    from(s.field("larg"), used);
                    from(s.field("rarg"), used);
                }
                "FROMEXPR" => from(s.field("fromlist"), used),
                "SETOPERATIONSTMT" => {
                    from(s.field("larg"), used);
                    from(s.field("rarg"), used);
                }
                _ => {}
            },
        }
    }
    let mut used: BTreeSet<usize> = target.into_iter().collect();
    from(q.field("jointree"), &mut used);
    from(q.field("setOperations"), &mut used);
    for (position, entry) in q.field("rtable").structs().enumerate() {
        if entry.number("rtekind") == 9 {
            used.insert(position);
        }
    }
    used
}

fn set_operation_leaves(node: &Node, leaves: &mut Vec<usize>) {
    let Some(s) = node.as_struct() else { return };
    if s.tag == "RANGETBLREF" {
        leaves.extend(usize::try_from(s.number("rtindex") - 1).ok());
    } else {
        set_operation_leaves(s.field("larg"), leaves);
        set_operation_leaves(s.field("rarg"), leaves);
    }
}

/// The operators of `x IN (...)` and `(x, y) IN (...)`.
fn operators<'n>(node: &'n Node, found: &mut Vec<&'n Struct>) {
    match node.as_struct() {
        Some(s) if s.tag == "BOOLEXPR" => s.field("args").items().iter().for_each(|a| operators(a, found)),
        Some(s) => found.push(s),
        None => {}
    }
}

/// What is below casts that change no value.
fn strip_casts(node: &Node) -> &Node {
    match node.as_struct() {
        Some(s) if s.tag == "RELABELTYPE" || s.tag == "COERCETODOMAIN" => strip_casts(s.field("arg")),
        _ => node,
    }
}
