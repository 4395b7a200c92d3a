//! The global foreign keys and their triggers, as the catalogs have them.

use citus_planner::identifier::{quote_identifier, quote_identifiers, quote_literal};
use pgrx::pg_sys::Oid;

use super::super::inventory::{self, Member, extension_owner, forget_registered, home};
use super::super::key_lock::ConstraintId;
use super::super::members::parse_token;
use super::binding::{referenced_function, referencing_function, truncation_function};
use super::terms::{Action, Match, Terms};
use crate::error::{Result, internal};
use crate::pg::query::{self, Row, Sees};
use crate::pg::{identity, index_shape, tables};

/// One side of a foreign key: its topmost table.
#[derive(Clone)]
pub struct Side {
    pub root: Oid,
    pub schema: String,
    pub table: String,
    /// Qualified and quoted.
    pub relation: String,
    pub columns: Vec<String>,
}

impl Side {
    pub fn of(member: &Member, columns: Vec<String>) -> Self {
        Side {
            root: member.oid,
            schema: member.schema.clone(),
            table: member.table.clone(),
            relation: member.relation.clone(),
            columns,
        }
    }

    /// `a, b`, quoted.
    pub fn column_list(&self) -> String {
        quote_identifiers(self.columns.iter().map(String::as_str))
    }

    /// Its columns as the array that the registry has.
    fn numbers(&self) -> String {
        let numbers: Vec<String> = self
            .columns
            .iter()
            .filter_map(|column| index_shape::column_number(self.root, column))
            .map(|number| number.to_string())
            .collect();
        format!("{{{}}}", numbers.join(","))
    }

    fn argument(&self) -> String {
        let columns = match self.columns.as_slice() {
            [column] => quote_literal(column),
            columns => {
                let columns: Vec<String> = columns.iter().map(|c| quote_literal(c)).collect();
                format!("ARRAY[{}]::pg_catalog.name[]", columns.join(", "))
            }
        };
        format!("{}, {columns}", quote_literal(&self.relation))
    }
}

/// A global foreign key.
#[derive(Clone)]
pub struct ForeignKey {
    pub token: String,
    pub name: String,
    pub referencing: Side,
    pub referenced: Side,
    pub terms: Terms,
    pub is_deferrable: bool,
    pub initially_deferred: bool,
    /// The trigger of the topmost referencing table; `None` where triggers were dropped by hand.
    pub trigger: Option<Oid>,
    pub owner: Oid,
    pub registered: bool,
    validated_for: String,
    registered_as: Registered,
}

/// A row of the registry.
#[derive(Clone, Default, PartialEq)]
struct Registered {
    name: String,
    relation: String,
    definition: String,
    root: String,
    root_columns: String,
    referenced: String,
    referenced_root: String,
    referenced_root_columns: String,
    referenced_members: String,
}

/// What a trigger of a foreign key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Looks for the rows that are referenced.
    Check,
    /// Looks after referencing rows, when a row is deleted, when it is updated, or either.
    Deleted,
    Updated,
    Gone,
    /// Looks after referencing rows when a table is emptied.
    Truncated,
}

/// A trigger of a foreign key.
#[derive(Clone, Debug)]
pub struct KeyTrigger {
    pub table: Oid,
    pub oid: Oid,
    pub name: String,
    pub role: Role,
    /// `A` always, `O` unless the session replicates, `R` only then, `D` never.
    pub enabled: String,
    /// The name of its row in `pg_constraint`; empty where it has none.
    pub constraint_name: String,
    /// That row, if there is one.
    pub constraint: Oid,
    /// Of a partition's trigger, the one on the table above.
    pub parent: Option<Oid>,
}

impl KeyTrigger {
    /// Whether PostgreSQL made it for a partition.
    pub fn is_clone(&self) -> bool {
        self.parent.is_some()
    }
}

impl ForeignKey {
    pub fn id(&self) -> ConstraintId {
        ConstraintId::of(self.referencing.root, &self.token)
    }

    /// A foreign key that is about to be made.
    #[allow(clippy::too_many_arguments)]
    pub fn planned(
        name: String,
        referencing: Side,
        referenced: Side,
        terms: Terms,
        is_deferrable: bool,
        initially_deferred: bool,
        owner: Oid,
    ) -> Self {
        ForeignKey {
            token: format!("{:016x}", tables::random_bits()),
            name,
            referencing,
            referenced,
            terms,
            is_deferrable,
            initially_deferred,
            trigger: None,
            owner,
            registered: false,
            validated_for: String::new(),
            registered_as: Registered::default(),
        }
    }

    fn validity(&self) -> Option<String> {
        self.trigger.map(|trigger| format!("{}/{}", tables::this_database(), trigger.to_u32()))
    }

    pub fn is_validated(&self) -> bool {
        self.validity().is_some_and(|validity| validity == self.validated_for)
    }

    /// The action as users write it.
    pub fn action(&self, action: &Action) -> String {
        let quoted: Vec<String> = self.referencing.columns.iter().map(|c| quote_identifier(c).to_string()).collect();
        action.named(&quoted)
    }

    /// The call that makes it again.
    pub fn definition(&self) -> String {
        let mut call = format!(
            "SELECT advisor.add_global_foreign_key({}, {}, {}",
            self.referencing.argument(),
            self.referenced.argument(),
            quote_literal(&self.name)
        );
        if self.terms.matching != Match::Simple {
            call.push_str(&format!(", match_type => {}", quote_literal(&self.terms.matching.to_string())));
        }
        for (name, action) in [("on_delete", &self.terms.on_delete), ("on_update", &self.terms.on_update)] {
            if *action != Action::NoAction {
                call.push_str(&format!(", {name} => {}", quote_literal(&self.action(action))));
            }
        }
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

    /// The same as the native DDL.
    pub fn native_statement(&self, not_valid: bool) -> String {
        let action = |action: &Action| self.action(action).to_uppercase_words();
        let mut sql = format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
            self.referencing.relation,
            quote_identifier(&self.name),
            self.referencing.column_list(),
            self.referenced.relation,
            self.referenced.column_list()
        );
        if self.terms.matching == Match::Full {
            sql.push_str(" MATCH FULL");
        }
        if self.terms.on_delete != Action::NoAction {
            sql.push_str(&format!(" ON DELETE {}", action(&self.terms.on_delete)));
        }
        if self.terms.on_update != Action::NoAction {
            sql.push_str(&format!(" ON UPDATE {}", action(&self.terms.on_update)));
        }
        sql.push_str(match (self.is_deferrable, self.initially_deferred) {
            (_, true) => " DEFERRABLE INITIALLY DEFERRED",
            (true, false) => " DEFERRABLE",
            (false, false) => "",
        });
        if not_valid {
            sql.push_str(" NOT VALID");
        }
        sql.push(';');
        sql
    }

    /// The row that the registry should have.
    fn current(&self) -> Registered {
        Registered {
            name: self.name.clone(),
            relation: self.referencing.relation.clone(),
            definition: self.definition(),
            root: home(self.referencing.root),
            root_columns: self.referencing.numbers(),
            referenced: self.referenced.relation.clone(),
            referenced_root: home(self.referenced.root),
            referenced_root_columns: self.referenced.numbers(),
            referenced_members: format!(
                "{{{}}}",
                tables_of(&self.referenced, Sees::Latest)
                    .unwrap_or_default()
                    .iter()
                    .map(|m| m.oid.to_u32().to_string())
                    .collect::<Vec<_>>()
                    .join(",")
            ),
        }
    }

    pub fn registry_is_current(&self) -> bool {
        self.registered && self.registered_as == self.current()
    }

    /// What the registry calls it.
    pub fn registered_name(&self) -> String {
        self.registered_as.name.clone()
    }

    pub fn is_renamed(&self) -> bool {
        self.registered && self.registered_as.name != self.name
    }

    /// Writes its row of the registry. `validated`: whether every referencing row is known to have a referenced one.
    pub fn register(&mut self, validated: bool) -> Result<()> {
        self.validated_for = if validated { self.validity().unwrap_or_default() } else { String::new() };
        let now = self.current();
        let names = |side: &Side| {
            let columns: Vec<String> = side.columns.iter().map(|c| quote_literal(c)).collect();
            format!("ARRAY[{}]::pg_catalog.name[]", columns.join(", "))
        };
        let validated_for =
            if self.validated_for.is_empty() { "NULL".to_owned() } else { quote_literal(&self.validated_for) };
        let insert = format!(
            "INSERT INTO advisor.global_constraint_registry AS r (token, relation, kind, constraint_name, columns,
               is_deferrable, initially_deferred, definition, validated_for, root, root_columns,
               referenced, referenced_columns, referenced_root, referenced_root_columns, match_type, on_delete, on_update,
               referenced_members)
             VALUES ({}, {}, 'foreign key', {}, {}, {}, {}, {}, {validated_for}, {}, '{}', {}, {}, {}, '{}', {}, {}, {}, '{}')
             ON CONFLICT (token, relation) DO UPDATE SET constraint_name = excluded.constraint_name,
               columns = excluded.columns, definition = excluded.definition, validated_for = excluded.validated_for,
               root = excluded.root, root_columns = excluded.root_columns, referenced = excluded.referenced,
               referenced_columns = excluded.referenced_columns, referenced_root = excluded.referenced_root,
               referenced_root_columns = excluded.referenced_root_columns,
               referenced_members = excluded.referenced_members",
            quote_literal(&self.token),
            quote_literal(&now.relation),
            quote_literal(&now.name),
            names(&self.referencing),
            self.is_deferrable,
            self.initially_deferred,
            quote_literal(&now.definition),
            quote_literal(&now.root),
            now.root_columns,
            quote_literal(&now.referenced),
            names(&self.referenced),
            quote_literal(&now.referenced_root),
            now.referenced_root_columns,
            quote_literal(&self.terms.matching.to_string()),
            quote_literal(&self.terms.on_delete.to_string()),
            quote_literal(&self.terms.on_update.to_string()),
            now.referenced_members,
        );
        identity::acting_as(extension_owner()?, || {
            if self.registered && self.registered_as.relation != now.relation {
                forget_registered(&self.token, &self.registered_as.relation)?;
            }
            query::run(&insert)
        })?;
        self.registered = true;
        self.registered_as = now;
        Ok(())
    }

    pub fn unregister(&self) -> Result<()> {
        if !self.registered {
            return Ok(());
        }
        identity::acting_as(extension_owner()?, || forget_registered(&self.token, &self.registered_as.relation))
    }

    /// The same for a table that has been part of the referencing side.
    pub fn of_its_own(&self, table: &Member) -> Self {
        Self::planned(
            self.name.clone(),
            Side::of(table, self.referencing.columns.clone()),
            self.referenced.clone(),
            self.terms.clone(),
            self.is_deferrable,
            self.initially_deferred,
            table.owner,
        )
    }

    /// Whether another key is the same but for its table and its name.
    pub fn says_the_same(&self, other: &ForeignKey) -> bool {
        self.token != other.token
            && self.referencing.columns == other.referencing.columns
            && self.referenced.root == other.referenced.root
            && self.referenced.columns == other.referenced.columns
            && self.terms == other.terms
            && (self.is_deferrable, self.initially_deferred) == (other.is_deferrable, other.initially_deferred)
    }

    /// How the referenced tables are watched: one trigger for rows that are deleted or updated, two where only one of the
    /// actions can be deferred.
    pub fn referenced_roles(&self) -> Vec<(Role, bool)> {
        let deferred = |action: &Action| self.is_deferrable && action.can_be_deferred();
        let (deleted, updated) = (deferred(&self.terms.on_delete), deferred(&self.terms.on_update));
        if deleted == updated {
            vec![(Role::Gone, deleted)]
        } else {
            vec![(Role::Deleted, deleted), (Role::Updated, updated)]
        }
    }

    /// The statement that makes one of its triggers on one table.
    pub fn trigger_statement(&self, role: Role, deferrable: bool, relation: &str, name: &str) -> String {
        let (function, events, row, side, other) = match role {
            Role::Check => ("check_global_foreign_key", "INSERT OR UPDATE", "NEW", &self.referencing, &self.referenced),
            Role::Gone => ("check_global_reference", "DELETE OR UPDATE", "OLD", &self.referenced, &self.referencing),
            Role::Deleted => ("check_global_reference", "DELETE", "OLD", &self.referenced, &self.referencing),
            Role::Updated => ("check_global_reference", "UPDATE", "OLD", &self.referenced, &self.referencing),
            Role::Truncated => {
                return format!(
                    "CREATE TRIGGER {} AFTER TRUNCATE ON {relation} FOR EACH STATEMENT \
                     EXECUTE FUNCTION advisor.check_global_truncation({})",
                    quote_identifier(name),
                    quote_literal(&self.token)
                );
            }
        };
        let deferral = match (deferrable, self.initially_deferred) {
            (true, true) => " DEFERRABLE INITIALLY DEFERRED",
            (true, false) => " DEFERRABLE",
            (false, _) => "",
        };
        let conditions: Vec<String> =
            side.columns.iter().map(|c| format!("{row}.{} IS DISTINCT FROM NULL", quote_identifier(c))).collect();
        // A key that is partly NULL is MATCH FULL's business.
        let or = role == Role::Check && self.terms.matching == Match::Full;
        format!(
            "CREATE CONSTRAINT TRIGGER {} AFTER {events} ON {relation} FROM {}{deferral} FOR EACH ROW WHEN ({}) \
             EXECUTE FUNCTION advisor.{function}({}, {}, {}, {})",
            quote_identifier(name),
            other.relation,
            conditions.join(if or { " OR " } else { " AND " }),
            quote_literal(&self.token),
            quote_literal(&self.terms.matching.to_string()),
            quote_literal(&self.terms.on_delete.to_string()),
            quote_literal(&self.terms.on_update.to_string()),
        )
    }

    /// All its triggers, on either side.
    pub fn triggers(&self, sees: Sees) -> Result<Vec<KeyTrigger>> {
        Self::triggers_of_token(&self.token, sees)
    }

    pub fn triggers_of_token(token: &str, sees: Sees) -> Result<Vec<KeyTrigger>> {
        // Arguments of triggers are anybody's.
        if parse_token(token.as_bytes()).is_none() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT t.tgrelid, t.oid, t.tgname, t.tgfoid, t.tgtype, t.tgenabled, con.conname, t.tgparentid, t.tgconstraint
             FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
               LEFT JOIN pg_catalog.pg_constraint con ON con.oid = t.tgconstraint
             WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
               AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
               AND d.refobjid IN ('{}'::pg_catalog.oid, '{}'::pg_catalog.oid, '{}'::pg_catalog.oid)
               AND pg_catalog.starts_with(pg_catalog.encode(t.tgargs, 'escape'), '{}\\000')
             ORDER BY t.tgrelid, t.oid",
            referencing_function().to_u32(),
            referenced_function().to_u32(),
            truncation_function().to_u32(),
            token
        );
        let role = |row: &Row| {
            Some(match (row.oid(3), row.number::<i16>(4)) {
                (function, 21) if function == referencing_function() => Role::Check,
                (function, 9) if function == referenced_function() => Role::Deleted,
                (function, 17) if function == referenced_function() => Role::Updated,
                (function, 25) if function == referenced_function() => Role::Gone,
                (function, 32) if function == truncation_function() => Role::Truncated,
                _ => return None,
            })
        };
        Ok(query::rows(&sql, sees, 0)?
            .iter()
            .filter_map(|row| {
                Some(KeyTrigger {
                    table: row.oid(0),
                    oid: row.oid(1),
                    name: row.text(2),
                    role: role(row)?,
                    enabled: row.text(5),
                    constraint_name: row.text(6),
                    parent: Some(row.oid(7)).filter(|&parent| parent != Oid::INVALID),
                    constraint: row.oid(8),
                })
            })
            .collect())
    }
}

/// SQL's words in capitals, names in quotes or parentheses as they are.
trait UppercaseWords {
    fn to_uppercase_words(&self) -> String;
}

impl UppercaseWords for String {
    fn to_uppercase_words(&self) -> String {
        match self.split_once('(') {
            Some((words, list)) => format!("{}({list}", words.to_uppercase()),
            None => self.to_uppercase(),
        }
    }
}

/// A row trigger as [`ForeignKey::trigger_statement`] makes it: anybody can make another one that calls our function.
const SHAPE: &str = r"(t.tgtype IN (21, 9, 17, 25) AND t.tgconstraint <> 0 AND t.tgconstrrelid <> 0 AND t.tgqual::pg_catalog.text ~ '^(\{BOOLEXPR :boolop (and|or) :args \()?(\{NULLTEST :arg \{VAR :varno [12] :varattno [1-9][^{}]*\} :nulltesttype 1 :argisrow false [^{}]*\} ?)+(\)[^{}]*\})?$')";

/// All global foreign keys of this database, whoever asks: other people's DDL does.
pub fn foreign_keys(sees: Sees) -> Result<Vec<ForeignKey>> {
    let sql = include_str!("foreign_keys.sql")
        .replace("/*referencing*/", &referencing_function().to_u32().to_string())
        .replace("/*referenced*/", &referenced_function().to_u32().to_string())
        .replace("/*shape*/", SHAPE)
        .replace("/*database*/", &tables::this_database());
    let rows = identity::acting_as(extension_owner()?, || query::rows(&sql, sees, 0))?;
    let keys: Vec<Option<ForeignKey>> = rows.iter().map(foreign_key).collect::<Result<_>>()?;
    Ok(keys.into_iter().flatten().collect())
}

fn foreign_key(row: &Row) -> Result<Option<ForeignKey>> {
    let names = |at: usize| -> Result<Vec<String>> {
        row.optional(at).map_or(Ok(Vec::new()), |json| serde_json::from_str(&json).map_err(internal))
    };
    let side = |at: usize, columns: Vec<String>| Side {
        root: row.oid(at),
        schema: row.text(at + 1),
        table: row.text(at + 2),
        relation: row.text(at + 3),
        columns,
    };
    let (columns, referenced_columns) = (names(11)?, names(12)?);
    let arguments = [row.text(13), row.text(14), row.text(15)];
    let Some(terms) = Terms::parse(&arguments.each_ref().map(|argument| argument.as_bytes())) else { return Ok(None) };
    if columns.is_empty() || columns.len() != referenced_columns.len() {
        return Ok(None);
    }
    Ok(Some(ForeignKey {
        token: row.text(0),
        referencing: side(1, columns),
        owner: row.oid(5),
        referenced: side(6, referenced_columns),
        name: row.text(10),
        terms,
        is_deferrable: row.flag(16),
        initially_deferred: row.flag(17),
        trigger: row.optional(18).map(|_| row.oid(18)),
        validated_for: row.text(19),
        registered: row.flag(20),
        registered_as: Registered {
            name: row.text(21),
            relation: row.text(22),
            definition: row.text(23),
            root: row.text(24),
            root_columns: row.text(25),
            referenced: row.text(26),
            referenced_root: row.text(27),
            referenced_root_columns: row.text(28),
            referenced_members: row.text(29),
        },
    }))
}

/// The tables of a side.
pub fn tables_of(side: &Side, sees: Sees) -> Result<Vec<Member>> {
    inventory::members(side.root, "", sees)
}
