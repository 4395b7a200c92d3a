//! The global constraints and their tables, as the catalogs have them.

use citus_planner::identifier::{quote_identifier, quote_identifiers, quote_literal};
use pgrx::pg_sys::Oid;

use super::key_lock::ConstraintId;
use super::members;
use super::serving_index::{self, NoIndex, ServingIndex};
use crate::error::{Result, internal};
use crate::pg::query::{self, Row, Sees};
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
    registered_as: (String, String, String),
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
        ConstraintId { root: self.root, token: u64::from_str_radix(&self.token, 16).unwrap_or_default() }
    }

    /// Its columns' numbers in the root.
    pub fn root_columns(&self) -> Vec<i16> {
        self.columns.iter().filter_map(|column| index_shape::column_number(self.root, column)).collect()
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

    /// Whether the registry still calls it by its names.
    pub fn registry_is_current(&self) -> bool {
        self.registered
            && self.registered_as.0 == self.name
            && self.registered_as.1 == self.relation
            && self.registered_as.2 == self.definition()
    }

    /// Writes its row of the registry. `validated`: whether its rows are known to be unique.
    pub fn register(&mut self, validated: bool) -> Result<()> {
        let owner = extension_owner()?;
        self.validated_for = if validated { self.validity().unwrap_or_default() } else { String::new() };
        let columns: Vec<String> = self.columns.iter().map(|c| quote_literal(c)).collect();
        let validated_for =
            if self.validated_for.is_empty() { "NULL".to_owned() } else { quote_literal(&self.validated_for) };
        let (token, relation) = (quote_literal(&self.token), quote_literal(&self.relation));
        let old_relation = quote_literal(&self.registered_as.1);
        let insert = format!(
            "INSERT INTO advisor.global_constraint_registry AS r (token, relation, kind, constraint_name, columns,
               is_deferrable, initially_deferred, definition, validated_for)
             VALUES ({token}, {relation}, 'unique', {}, ARRAY[{}]::pg_catalog.name[], {}, {}, {}, {validated_for})
             ON CONFLICT (token, relation) DO UPDATE SET constraint_name = excluded.constraint_name,
               columns = excluded.columns, is_deferrable = excluded.is_deferrable,
               initially_deferred = excluded.initially_deferred, definition = excluded.definition,
               validated_for = excluded.validated_for",
            quote_literal(&self.name),
            columns.join(", "),
            self.is_deferrable,
            self.initially_deferred,
            quote_literal(&self.definition()),
        );
        identity::acting_as(owner, || {
            if self.registered && self.registered_as.1 != self.relation {
                query::run(&format!(
                    "DELETE FROM advisor.global_constraint_registry
                     WHERE token OPERATOR(pg_catalog.=) {token} AND relation OPERATOR(pg_catalog.=) {old_relation}"
                ))?;
            }
            query::run(&insert)
        })?;
        self.registered = true;
        self.registered_as = (self.name.clone(), self.relation.clone(), self.definition());
        Ok(())
    }

    /// Takes its row out of the registry.
    pub fn unregister(&self) -> Result<()> {
        if !self.registered {
            return Ok(());
        }
        let owner = extension_owner()?;
        let (token, relation) = (quote_literal(&self.token), quote_literal(&self.registered_as.1));
        identity::acting_as(owner, || {
            query::run(&format!(
                "DELETE FROM advisor.global_constraint_registry
                 WHERE token OPERATOR(pg_catalog.=) {token} AND relation OPERATOR(pg_catalog.=) {relation}"
            ))
        })
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

/// All constraints of this database.
pub fn constraints(sees: Sees) -> Result<Vec<Constraint>> {
    let rows = query::rows(include_str!("constraints.sql"), sees, 0)?;
    rows.iter().map(constraint).collect()
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
        registered_as: (row.text(13), row.text(14), row.text(15)),
    })
}

/// The tables of the tree below `root`, itself included, by OID; with the triggers of `token`.
pub fn members(root: Oid, token: &str, sees: Sees) -> Result<Vec<Member>> {
    // Anybody may make a trigger with an argument of his own: only digits go into the statement.
    let token = members::parse_token(token.as_bytes()).map(|token| format!("{token:016x}")).unwrap_or_default();
    let sql = include_str!("members.sql").replace("/*root*/", &root.to_u32().to_string()).replace("/*token*/", &token);
    let rows = query::rows(&sql, sees, 0)?;
    Ok(rows.iter().map(member).collect())
}

fn member(row: &Row) -> Member {
    let trigger = row.optional(9).map(|_| MemberTrigger {
        oid: row.oid(9),
        name: row.text(10),
        enabled: row.text(11),
        constraint_name: row.text(12),
        is_clone: row.flag(13),
    });
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
        trigger,
        is_new: row.text(14).split(' ').filter_map(|x| x.parse().ok()).any(tables::is_current_transaction),
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
