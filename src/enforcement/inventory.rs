//! The global constraints and their tables, as the catalogs have them.

use citus_planner::identifier::{quote_identifier, quote_identifiers, quote_literal};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::Oid;

use super::key_lock::ConstraintId;
use super::members::parse_token;
use super::serving_index::{self, NoIndex, ServingIndex};
use crate::error::{Result, internal, refusal_with};
use crate::pg::encoding::NO_TEXT;
use crate::pg::key::MOST_COLUMNS;
use crate::pg::query::{self, Row, Sees};
use crate::pg::transaction::TransactionId;
use crate::pg::{identity, index_shape, tables};

/// A global unique constraint.
#[derive(Clone)]
pub struct Constraint {
    pub token: String,
    pub root: Oid,
    pub schema: String,
    pub table: String,
    /// Qualified and quoted.
    pub relation: String,
    pub name: String,
    pub columns: Vec<String>,
    pub is_deferrable: bool,
    pub initially_deferred: bool,
    /// The root's trigger; `None` where it was dropped by hand.
    pub trigger: Option<Oid>,
    pub registered: bool,
    pub owner: Oid,
    validated_for: String,
    registered_as: Registered,
}

/// A row of the registry.
#[derive(Clone, Default)]
struct Registered {
    name: String,
    relation: String,
    definition: String,
    root: String,
    root_columns: String,
}

/// A table of a tree.
pub struct Member {
    pub oid: Oid,
    pub schema: String,
    pub table: String,
    /// Qualified and quoted.
    pub relation: String,
    pub kind: String,
    pub persistence: String,
    pub owned: bool,
    pub owner: Oid,
    pub has_children: bool,
    pub trigger: Option<MemberTrigger>,
    /// Triggers that somebody else has made with the constraint's token.
    pub strange_triggers: Vec<String>,
    /// Whether this transaction put it, or a table above it, there.
    pub is_new: bool,
    pub bytes: i64,
    pub schema_oid: Oid,
    pub is_partition: bool,
}

/// The trigger of a constraint on one of its members.
pub struct MemberTrigger {
    pub oid: Oid,
    pub name: String,
    /// `A` always, `O` unless the session replicates, `R` only then, `D` never.
    pub enabled: String,
    /// The name of its row in `pg_constraint`.
    pub constraint_name: String,
    /// Whether PostgreSQL made it for a partition.
    pub is_clone: bool,
}

impl Constraint {
    pub fn id(&self) -> ConstraintId {
        ConstraintId::of(self.root, &self.token)
    }

    /// Its columns' numbers in the root.
    pub fn root_columns(&self) -> Vec<i16> {
        self.columns.iter().filter_map(|column| index_shape::column_number(self.root, column)).collect()
    }

    /// The same as the array that the registry has.
    fn root_column_list(&self) -> String {
        let numbers: Vec<String> = self.root_columns().iter().map(i16::to_string).collect();
        format!("{{{}}}", numbers.join(","))
    }

    /// What `validated_for` holds where the rows of this very trigger are known to be unique.
    pub fn validity(&self) -> Option<String> {
        self.trigger.map(|trigger| format!("{}/{}", tables::this_database(), trigger.to_u32()))
    }

    pub fn is_validated(&self) -> bool {
        self.validity().is_some_and(|v| v == self.validated_for)
    }

    /// The call that makes it again.
    pub fn definition(&self) -> String {
        let columns = match self.columns.as_slice() {
            [column] => quote_literal(column),
            columns => {
                let columns: Vec<String> = columns.iter().map(|c| quote_literal(c)).collect();
                format!("ARRAY[{}]::pg_catalog.name[]", columns.join(", "))
            }
        };
        let mut call = format!(
            "SELECT advisor.add_global_unique({}, {columns}, {}",
            quote_literal(&self.relation),
            quote_literal(&self.name)
        );
        if self.is_deferrable {
            call.push_str(", is_deferrable => true");
        }
        if self.initially_deferred {
            call.push_str(", initially_deferred => true");
        }
        if !self.is_validated() {
            call.push_str(", not_valid => true");
        }
        call.push_str(");");
        call
    }

    /// `a, b`, quoted.
    pub fn column_list(&self) -> String {
        quote_identifiers(self.columns.iter().map(String::as_str))
    }

    /// Whether its names are text: in an SQL_ASCII database they may be any bytes, and no statement of ours finds them then.
    fn can_be_named(&self) -> bool {
        ![&self.relation, &self.name].into_iter().chain(&self.columns).any(|name| name.contains(NO_TEXT))
    }

    /// Whether the registry has another name for it.
    pub fn is_renamed(&self) -> bool {
        self.registered && self.registered_as.name != self.name
    }

    /// Whether the registry still calls it by its names.
    pub fn registry_is_current(&self) -> bool {
        self.registered
            && self.registered_as.name == self.name
            && self.registered_as.relation == self.relation
            && self.registered_as.definition == self.definition()
            && self.registered_as.root == home(self.root)
            && self.registered_as.root_columns == self.root_column_list()
    }

    /// Writes its row of the registry. `validated`: whether its rows are known to be unique.
    pub fn register(&mut self, validated: bool) -> Result<()> {
        let owner = extension_owner()?;
        self.validated_for = if validated { self.validity().unwrap_or_default() } else { String::new() };
        let columns: Vec<String> = self.columns.iter().map(|c| quote_literal(c)).collect();
        let validated_for =
            if self.validated_for.is_empty() { "NULL".to_owned() } else { quote_literal(&self.validated_for) };
        let (token, relation) = (quote_literal(&self.token), quote_literal(&self.relation));
        let insert = format!(
            "INSERT INTO advisor.global_constraint_registry AS r (token, relation, kind, constraint_name, columns,
               is_deferrable, initially_deferred, definition, validated_for, root, root_columns)
             VALUES ({token}, {relation}, 'unique', {}, ARRAY[{}]::pg_catalog.name[], {}, {}, {}, {validated_for},
               {}, '{}')
             ON CONFLICT (token, relation) DO UPDATE SET constraint_name = excluded.constraint_name,
               columns = excluded.columns, is_deferrable = excluded.is_deferrable,
               initially_deferred = excluded.initially_deferred, definition = excluded.definition,
               validated_for = excluded.validated_for, root = excluded.root, root_columns = excluded.root_columns",
            quote_literal(&self.name),
            columns.join(", "),
            self.is_deferrable,
            self.initially_deferred,
            quote_literal(&self.definition()),
            quote_literal(&home(self.root)),
            self.root_column_list(),
        );
        identity::acting_as(owner, || {
            if self.registered && self.registered_as.relation != self.relation {
                forget_registered(&self.token, &self.registered_as.relation)?;
            }
            query::run(&insert)
        })?;
        self.registered = true;
        self.registered_as = Registered {
            name: self.name.clone(),
            relation: self.relation.clone(),
            definition: self.definition(),
            root: home(self.root),
            root_columns: self.root_column_list(),
        };
        Ok(())
    }

    /// Takes its row out of the registry.
    pub fn unregister(&self) -> Result<()> {
        if !self.registered {
            return Ok(());
        }
        identity::acting_as(extension_owner()?, || forget_registered(&self.token, &self.registered_as.relation))
    }

    /// A constraint that is about to be made.
    pub fn planned(root: &Member, name: String, columns: Vec<String>, deferrable: bool, deferred: bool) -> Self {
        Constraint {
            token: format!("{:016x}", tables::random_bits()),
            root: root.oid,
            schema: root.schema.clone(),
            table: root.table.clone(),
            relation: root.relation.clone(),
            name,
            columns,
            is_deferrable: deferrable,
            initially_deferred: deferred,
            trigger: None,
            registered: false,
            owner: root.owner,
            validated_for: String::new(),
            registered_as: Default::default(),
        }
    }

    /// The statement that makes its trigger on one table.
    pub fn trigger_statement(&self, relation: &str, name: &str) -> String {
        let not_null: Vec<String> =
            self.columns.iter().map(|c| format!("NEW.{} IS DISTINCT FROM NULL", quote_identifier(c))).collect();
        let deferral = match (self.is_deferrable, self.initially_deferred) {
            (_, true) => " DEFERRABLE INITIALLY DEFERRED",
            (true, false) => " DEFERRABLE",
            (false, false) => "",
        };
        format!(
            "CREATE CONSTRAINT TRIGGER {} AFTER INSERT OR UPDATE ON {relation}{deferral} FOR EACH ROW WHEN ({}) \
             EXECUTE FUNCTION advisor.check_global_unique({})",
            quote_identifier(name),
            not_null.join(" AND "),
            quote_literal(&self.token),
        )
    }
}

impl Member {
    /// Whether it can hold rows.
    pub fn holds_rows(&self) -> bool {
        self.kind != "p"
    }

    /// The attribute numbers of columns.
    pub fn column_numbers(&self, columns: &[String]) -> Option<Vec<i16>> {
        columns.iter().map(|c| index_shape::column_number(self.oid, c)).collect()
    }

    /// The index that serves a key. The caller holds a lock on the member.
    pub fn serving_index(&self, columns: &[String]) -> std::result::Result<ServingIndex, NoIndex> {
        serving_index::find(self.oid, &self.column_numbers(columns).unwrap_or_default())
    }
}

/// A trigger as [`Constraint::trigger_statement`] makes it: anybody can make another one that calls our function. Its
/// condition consists of as many pairs of a NULLTEST and its VAR as it has nodes, but for the AND around several. Counted
/// and not matched: a regular expression takes a hundred times as long, once for each partition.
const SHAPE: &str = r"(t.tgtype = 21 AND t.tgconstraint <> 0
  AND EXISTS (
    SELECT FROM (
      SELECT pg_catalog.length(q) - pg_catalog.length(pg_catalog.replace(q, '{', '')) AS nodes,
        (pg_catalog.length(q)
          - pg_catalog.length(pg_catalog.replace(q, '{NULLTEST :arg {VAR :varno 2 :varattno ', ''))) / 39 AS pairs,
        (pg_catalog.length(q)
          - pg_catalog.length(pg_catalog.replace(q, ' :nulltesttype 1 :argisrow false ', ''))) / 33 AS not_null,
        pg_catalog.starts_with(q, '{BOOLEXPR :boolop and :args (')::pg_catalog.int4 AS around,
        pg_catalog.strpos(q, ':varattno -') + pg_catalog.strpos(q, ':varattno 0') AS no_column
      FROM (SELECT t.tgqual::pg_catalog.text) AS condition(q)
      OFFSET 0
    ) AS shape
    WHERE pairs > 0 AND not_null = pairs AND nodes = 2 * pairs + around AND no_column = 0 AND (around = 1 OR pairs = 1)
  ))";

/// Deletes a row of the registry. Comes from the extension's owner.
pub fn forget_registered(token: &str, relation: &str) -> Result<()> {
    query::run(&format!(
        "DELETE FROM advisor.global_constraint_registry
         WHERE token OPERATOR(pg_catalog.=) {} AND relation OPERATOR(pg_catalog.=) {}",
        quote_literal(token),
        quote_literal(relation)
    ))
}

/// Deletes rows of the registry that are of this database and whose table or column is gone, of which the event triggers
/// did not hear.
pub fn forget_leftovers() -> Result<()> {
    let sql = format!(
        "SELECT r.token, r.relation
         FROM advisor.global_constraint_registry r
           CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.starts_with(r.root, '{}/')
             THEN pg_catalog.split_part(r.root, '/', 3)::pg_catalog.oid END AS oid) AS root
         WHERE r.kind = 'unique' AND (EXISTS (SELECT FROM pg_catalog.pg_attribute a
                       WHERE a.attrelid = root.oid AND a.attnum = ANY (r.root_columns) AND a.attisdropped)
           OR root.oid IS NOT NULL AND pg_catalog.to_regclass(r.relation) IS NULL
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = root.oid)
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                             WHERE t.tgfoid = '{}'::pg_catalog.oid
                               AND pg_catalog.encode(t.tgargs, 'escape') = r.token || '\\000'))",
        tables::this_database(),
        check_function()
    );
    identity::acting_as(extension_owner()?, || {
        for row in &query::rows(&sql, Sees::Latest, 0)? {
            forget_registered(&row.text(0), &row.text(1))?;
        }
        Ok(())
    })
}

/// A table of this database, in a form that a dump takes nowhere else.
pub fn home(root: Oid) -> String {
    format!("{}/{}", tables::this_database(), root.to_u32())
}

fn check_function() -> String {
    tables::advisor_function(c"check_global_unique").to_u32().to_string()
}

/// All constraints of this database, whoever asks: other people's DDL does.
pub fn constraints(sees: Sees) -> Result<Vec<Constraint>> {
    let sql = include_str!("constraints.sql")
        .replace("/*function*/", &check_function())
        .replace("/*shape*/", SHAPE)
        .replace("/*database*/", &tables::this_database());
    let rows = identity::acting_as(extension_owner()?, || query::rows(&sql, sees, 0))?;
    let mut constraints: Vec<Constraint> = rows.iter().map(constraint).collect::<Result<_>>()?;
    constraints.retain(|constraint| (1..=MOST_COLUMNS).contains(&constraint.columns.len()));
    // A trigger that somebody made by hand is not in the way of others; a constraint of ours is followed, or the DDL that
    // makes it impossible is refused.
    if let Some(lost) = constraints.iter().find(|constraint| constraint.registered && !constraint.can_be_named()) {
        return Err(refusal_with(
            PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
            format!("a name of the global unique constraint \"{}\" on {} is not valid UTF-8", lost.name, lost.relation),
            None,
            Some("Rename the table, the column or the constraint.".to_owned()),
        ));
    }
    constraints.retain(Constraint::can_be_named);
    Ok(constraints)
}

/// The constraint of a token on a table, as it is now.
pub fn constraint_of(token: &str, root: Oid) -> Result<Option<Constraint>> {
    Ok(constraints(Sees::Latest)?.into_iter().find(|constraint| constraint.token == token && constraint.root == root))
}

fn constraint(row: &Row) -> Result<Constraint> {
    let columns = match row.optional(6) {
        Some(json) => serde_json::from_str(&json).map_err(internal)?,
        None => Vec::new(),
    };
    Ok(Constraint {
        token: row.text(0),
        root: row.oid(1),
        schema: row.text(2),
        table: row.text(3),
        relation: row.text(4),
        name: row.text(5),
        columns,
        is_deferrable: row.flag(7),
        initially_deferred: row.flag(8),
        trigger: row.optional(9).map(|_| row.oid(9)),
        validated_for: row.text(10),
        registered: row.flag(11),
        owner: row.oid(12),
        registered_as: Registered {
            name: row.text(13),
            relation: row.text(14),
            definition: row.text(15),
            root: row.text(16),
            root_columns: row.text(17),
        },
    })
}

/// The tables of the tree below `root`, itself included, by OID; with the triggers of `token`.
pub fn members(root: Oid, token: &str, sees: Sees) -> Result<Vec<Member>> {
    // Arguments of triggers are anybody's.
    let token = if parse_token(token.as_bytes()).is_some() { token } else { "" };
    let sql = include_str!("members.sql")
        .replace("/*root*/", &root.to_u32().to_string())
        .replace("/*token*/", token)
        .replace("/*function*/", &check_function())
        .replace("/*shape*/", SHAPE);
    let rows = query::rows(&sql, sees, 0)?;
    let columns = |row: &Row| row.optional(18);
    // Anybody can make another trigger with the token on a table of his: the constraint's have its columns.
    let of_root = rows.iter().find(|row| row.oid(0) == root).and_then(columns);
    let key = of_root.or_else(|| rows.iter().find_map(columns));
    let mut members: Vec<Member> = Vec::new();
    for row in &rows {
        let is_known = members.last().is_some_and(|last| last.oid == row.oid(0));
        if !is_known {
            members.push(member(row));
        }
        let Some(last) = members.last_mut() else { continue };
        let trigger = trigger(row);
        match trigger {
            Some(trigger) if columns(row) != key || last.trigger.is_some() => last.strange_triggers.push(trigger.name),
            trigger => last.trigger = last.trigger.take().or(trigger),
        }
    }
    Ok(members)
}

fn trigger(row: &Row) -> Option<MemberTrigger> {
    row.optional(9).map(|_| MemberTrigger {
        oid: row.oid(9),
        name: row.text(10),
        enabled: row.text(11),
        constraint_name: row.text(12),
        is_clone: row.flag(13),
    })
}

fn member(row: &Row) -> Member {
    Member {
        oid: row.oid(0),
        schema: row.text(1),
        table: row.text(2),
        relation: row.text(3),
        kind: row.text(4),
        persistence: row.text(5),
        owned: row.flag(6),
        owner: row.oid(7),
        has_children: row.flag(8),
        trigger: None,
        strange_triggers: Vec::new(),
        is_new: row.text(14).split(' ').filter_map(|x| x.parse().ok()).any(|xid| TransactionId(xid).is_current()),
        bytes: row.number(15),
        schema_oid: row.oid(16),
        is_partition: row.flag(17),
    }
}

/// Who writes the extension's tables.
pub fn extension_owner() -> Result<Oid> {
    let sql = "SELECT extowner FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'citus_advisor'";
    Ok(query::rows(sql, Sees::Latest, 1)?.first().map_or(Oid::INVALID, |row| row.oid(0)))
}
