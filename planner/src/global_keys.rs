//! Foreign keys that `advisor.add_global_foreign_key` keeps by triggers, read from their definitions, and what becomes of
//! them on Citus, which allows no triggers on tables that it manages.
//!
//! Where both tables stay on the coordinator, the triggers stay. Else only a native foreign key can take its place. That
//! rests on a unique index of the referenced table, which contains its partition key and its distribution column: so the
//! key grows by both, where the referencing table has what they are to be equal to.

use crate::classes::{means_the_same, singular};
use crate::graph::{ColumnId, Edge, Graph, TableId};
use crate::identifier::{RelationName, quote_identifier as ident, quote_literal};
use crate::layout::{Layout, Placement};
use crate::plan::has_key_on;
use crate::rules::{self, ForeignKeyCase};
use crate::schema::{ForeignKey, MatchType, ReferentialAction, Trigger};

/// The function behind the triggers of `advisor.add_global_unique`.
pub const UNIQUE: &str = "advisor.check_global_unique";
/// The function behind the triggers on referencing tables, and those behind the triggers on referenced ones.
pub const CHECK: &str = "advisor.check_global_foreign_key";
pub const REFERENCE: &str = "advisor.check_global_reference";
pub const TRUNCATION: &str = "advisor.check_global_truncation";

/// A global foreign key.
#[derive(Clone, Debug)]
pub struct GlobalForeignKey {
    /// As a native one would be declared; the name is the constraint's.
    pub declared: ForeignKey,
    /// Its two tables. There is no position in [`crate::schema::Table::foreign_keys`].
    pub edge: Edge,
}

/// What becomes of a global foreign key.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Both tables stay, and the triggers with them.
    Kept,
    /// A native one takes its place, on these columns (referencing, referenced).
    Native { columns: Vec<(ColumnId, ColumnId)>, on_update: ReferentialAction },
    /// Why no native one can.
    Lost { why: String },
}

/// All of a database whose both sides are in the model, in the order of their tables.
pub fn global_foreign_keys(graph: &Graph<'_>) -> Vec<GlobalForeignKey> {
    let checks =
        graph.tables().flat_map(|table| graph.table(table).triggers.iter().map(move |trigger| (table, trigger)));
    checks
        .filter(|(_, trigger)| trigger.function == CHECK)
        .filter_map(|(table, check)| read(graph, table, check))
        .collect()
}

fn read(graph: &Graph<'_>, referencing: TableId, check: &Trigger) -> Option<GlobalForeignKey> {
    let other = other_table(&check.definition)?;
    let referenced = graph.tables().find(|&candidate| graph.table(candidate).name.to_string() == other)?;
    let [token, matching, on_delete, on_update] = <[String; 4]>::try_from(arguments(&check.definition)).ok()?;
    let mut partners = graph.table(referenced).triggers.iter().filter(|trigger| trigger.function == REFERENCE);
    let partner = partners.find(|trigger| arguments(&trigger.definition).first() == Some(&token))?;
    let columns: Vec<String> = key_columns(&check.definition, "new.").iter().map(|column| unquoted(column)).collect();
    let referenced_columns: Vec<String> =
        key_columns(&partner.definition, "old.").iter().map(|column| unquoted(column)).collect();
    let pairs = columns
        .iter()
        .zip(&referenced_columns)
        .map(|(from, to)| Some((graph.find_column(referencing, from)?, graph.find_column(referenced, to)?)));
    let pairs = pairs
        .collect::<Option<Vec<_>>>()
        .filter(|pairs| columns.len() == referenced_columns.len() && !pairs.is_empty())?;
    let (on_delete, set_columns) = action(&on_delete, &columns)?;
    let (on_update, _) = action(&on_update, &columns)?;
    let declared = ForeignKey {
        name: check.name.clone(),
        columns,
        referenced: graph.table(referenced).name.clone(),
        referenced_columns,
        on_delete,
        on_update,
        on_delete_columns: set_columns,
        match_type: if matching == "full" { MatchType::Full } else { MatchType::Simple },
        deferrable: check.definition.contains(" DEFERRABLE ") && !check.definition.contains(" NOT DEFERRABLE "),
        initially_deferred: check.definition.contains(" INITIALLY DEFERRED "),
        validated: true,
        enforced: true,
        referenced_index: None,
        definition: String::new(),
        comment: check.comment.clone(),
        put_aside: false,
    };
    Some(GlobalForeignKey { declared, edge: Edge { referencing, foreign_key: usize::MAX, referenced, columns: pairs } })
}

/// `set null 2`: the action, and the columns that are named by their places.
fn action(text: &str, columns: &[String]) -> Option<(ReferentialAction, Vec<String>)> {
    let words = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let places = text[words.len()..].split_whitespace();
    let action = match words {
        "no action" => ReferentialAction::NoAction,
        "restrict" => ReferentialAction::Restrict,
        "cascade" => ReferentialAction::Cascade,
        "set null" => ReferentialAction::SetNull,
        "set default" => ReferentialAction::SetDefault,
        _ => return None,
    };
    let named = places.map(|place| columns.get(place.parse::<usize>().ok()?.checked_sub(1)?).cloned());
    Some((action, named.collect::<Option<_>>()?))
}

/// What becomes of it under a layout.
pub fn fate(layout: &Layout<'_>, key: &GlobalForeignKey) -> Fate {
    let graph = layout.graph;
    let (referencing, referenced) = (key.edge.referencing, key.edge.referenced);
    let name = |table: TableId| graph.table(table).name.to_string();
    let lost = |why: String| Fate::Lost { why };
    if layout.is_local(referencing) && layout.is_local(referenced) {
        return Fate::Kept;
    }
    let mut columns = key.edge.columns.clone();
    match (layout.placement(referencing), layout.placement(referenced)) {
        (Placement::Distributed { column: from, group }, Placement::Distributed { column: to, group: other }) => {
            if group != other {
                return lost(format!("{} and {} are not colocated", name(referencing), name(referenced)));
            }
            if !columns.contains(&(from, to)) {
                let is_taken = columns.iter().any(|&(f, t)| f == from || t == to);
                if is_taken || !means_the_same(graph, (referencing, from), (referenced, to)) {
                    return lost("the distribution columns of the two tables cannot be part of it, for they do not mean the same".into());
                }
                columns.insert(0, (from, to));
            }
        }
        (_, Placement::Reference) => {}
        (_, Placement::Local) => return lost(format!("{} stays on the coordinator", name(referenced))),
        (_, Placement::Distributed { .. }) => {
            return lost(format!("{} is distributed and {} is not", name(referenced), name(referencing)));
        }
    }
    for partition_column in partition_columns(graph, referenced) {
        let Some(column) = partition_column else {
            let by = "is partitioned by an expression, which no unique constraint can contain";
            return lost(format!("{} {by}", name(referenced)));
        };
        if columns.iter().any(|&(_, to)| to == column) {
            continue;
        }
        let Some(from) = partner(graph, referencing, referenced, column, &columns) else {
            return lost(format!(
                "a native one has to contain the partition key of {}, {}, and {} has no column {} of its type",
                name(referenced),
                ident(&graph.column(referenced, column).name),
                name(referencing),
                ident(&copied_names(graph, referenced, column)[0])
            ));
        };
        columns.push((from, column));
    }
    if !has_key_on(layout, referenced, &columns.iter().map(|&(_, to)| to).collect::<Vec<_>>()) {
        let list: Vec<&str> = columns.iter().map(|&(_, to)| graph.column(referenced, to).name.as_str()).collect();
        return lost(format!("{} has no unique constraint on ({})", name(referenced), list.join(", ")));
    }
    let declared = &key.declared;
    let case = |on_update| ForeignKeyCase {
        edge: &key.edge,
        foreign_key: declared,
        columns: columns.clone(),
        on_delete: declared.on_delete,
        on_update,
        referencing_managed: false,
        referenced_managed: false,
    };
    let actions = [declared.on_update, ReferentialAction::NoAction];
    let accepted =
        actions.into_iter().find(|&on_update| rules::objection_to_foreign_key(layout, &case(on_update)).is_none());
    match accepted {
        Some(on_update) => Fate::Native { columns, on_update },
        None => {
            let rule = rules::objection_to_foreign_key(layout, &case(declared.on_update));
            lost(
                rule.map_or_else(String::new, |rule| {
                    format!("Citus refuses a native one: {} ({})", rule.title, rule.code)
                }),
            )
        }
    }
}

/// The columns by which a table and its partitions are partitioned; `None` for an expression.
fn partition_columns(graph: &Graph<'_>, table: TableId) -> Vec<Option<ColumnId>> {
    let tables = std::iter::once(table).chain(graph.descendants(table));
    let keys = tables.filter_map(|t| graph.table(t).partition_key.as_ref());
    let mut columns: Vec<Option<ColumnId>> = keys
        .flat_map(|key| key.columns.iter())
        .map(|column| column.as_deref().and_then(|name| graph.find_column(table, name)))
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The names that a copy of a column has in another table: `item_added` or `items_added` of `items (added)`; the same name
/// where it says already whose it is. One that is only called the same does not count: `created_at` is each row's own.
fn copied_names(graph: &Graph<'_>, table: TableId, column: ColumnId) -> Vec<String> {
    let (table, column) = (&graph.table(table).name.name, &graph.column(table, column).name);
    let of = [singular(table), table.clone()];
    if of.iter().any(|of| column.starts_with(&format!("{of}_"))) {
        return vec![column.clone()];
    }
    of.iter().map(|of| format!("{of}_{column}")).collect()
}

/// The column that holds the referenced row's value of a column, by its name.
fn partner(
    graph: &Graph<'_>,
    referencing: TableId,
    referenced: TableId,
    column: ColumnId,
    taken: &[(ColumnId, ColumnId)],
) -> Option<ColumnId> {
    let wanted = graph.column(referenced, column);
    let found =
        copied_names(graph, referenced, column).into_iter().find_map(|name| graph.find_column(referencing, &name))?;
    let fits = graph.column(referencing, found).type_text == wanted.type_text;
    (fits && taken.iter().all(|&(from, _)| from != found)).then_some(found)
}

/// The call that ends one: its triggers on both tables, and what is written down of it.
pub fn drop_statement(table: &RelationName, constraint: &str) -> String {
    format!("SELECT advisor.drop_constraint({}, {});", quote_literal(&table.to_string()), quote_literal(constraint))
}

/// The table behind FROM in the trigger's definition, as SQL writes it.
pub fn other_table(definition: &str) -> Option<&str> {
    let (_, rest) = definition.split_once(" ON ")?;
    let (_, rest) = rest.split_once(" FROM ")?;
    [" NOT DEFERRABLE", " DEFERRABLE", " FOR EACH ROW"]
        .iter()
        .filter_map(|end| rest.find(end))
        .min()
        .map(|end| &rest[..end])
}

/// What the trigger's function is called with.
fn arguments(definition: &str) -> Vec<String> {
    let Some((_, rest)) = definition.rsplit_once("('") else { return Vec::new() };
    let Some(list) = rest.strip_suffix("')") else { return Vec::new() };
    list.split("', '").map(str::to_owned).collect()
}

/// The columns that the trigger's WHEN names, as SQL writes them: `WHEN (((new.a IS NOT NULL) AND (new."B c" IS NOT NULL)))`.
/// `row` is `new.` or `old.`.
pub fn key_columns(definition: &str, row: &str) -> Vec<String> {
    let Some((_, mut rest)) = definition.split_once(" WHEN (") else { return Vec::new() };
    let mut columns = Vec::new();
    while let Some(place) = rest.find(row) {
        rest = &rest[place + row.len()..];
        let end = identifier_end(rest);
        columns.push(rest[..end].to_owned());
        rest = &rest[end..];
        if rest.starts_with(" IS NOT NULL)))") || rest.starts_with(" IS DISTINCT FROM NULL)))") {
            break;
        }
    }
    columns
}

/// Where an identifier ends, quoted or not.
fn identifier_end(text: &str) -> usize {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.find([' ', ')']).unwrap_or(text.len());
    };
    let mut end = 1;
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        end = at + 1 + character.len_utf8();
        if character == '"' {
            match characters.peek() {
                Some((_, '"')) => {
                    characters.next();
                }
                _ => break,
            }
        }
    }
    end
}

pub fn unquoted(identifier: &str) -> String {
    match identifier.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => identifier.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::Assignment;
    use crate::rules::testing::*;
    use crate::schema::{PartitionKey, Schema};

    /// `stock` references `items (item_id)`, which is partitioned by `added`.
    fn stock(columns: &str, on_delete: &str) -> Schema {
        let trigger = |name: &str, function: &str, definition: String| {
            let mut table = table("any").trigger(name);
            table.triggers[0].function = function.to_owned();
            table.triggers[0].definition = definition;
            table.triggers.remove(0)
        };
        let check = "CREATE CONSTRAINT TRIGGER stock_item_fkey AFTER INSERT OR UPDATE ON public.stock FROM public.items DEFERRABLE \
            INITIALLY DEFERRED FOR EACH ROW WHEN ((new.item_id IS NOT NULL)) EXECUTE FUNCTION \
            advisor.check_global_foreign_key('00000000000000aa', 'simple', 'set null 1', 'cascade')";
        let reference = "CREATE CONSTRAINT TRIGGER stock_item_fkey_referenced AFTER DELETE OR UPDATE ON public.items FROM public.stock \
            NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW WHEN ((old.item_id IS NOT NULL)) EXECUTE FUNCTION \
            advisor.check_global_reference('00000000000000aa', 'simple', 'set null 1', 'cascade')";
        schema([
            table("stock")
                .columns(columns)
                .with(|t| t.triggers.push(trigger("stock_item_fkey", CHECK, check.replace("set null 1", on_delete)))),
            table("items").columns("shop_id bigint, item_id bigint, added date").primary_key("item_id, added").with(
                |t| {
                    t.kind = crate::schema::TableKind::Partitioned;
                    t.partition_key = Some(PartitionKey {
                        strategy: "range".into(),
                        columns: vec![Some("added".into())],
                        definition: "RANGE (added)".into(),
                    });
                    t.triggers.push(trigger(
                        "stock_item_fkey_referenced",
                        REFERENCE,
                        reference.replace("set null 1", on_delete),
                    ));
                },
            ),
        ])
    }

    fn fate_of(columns: &str, places: &str) -> Fate {
        fate_with(columns, "restrict", places)
    }

    fn fate_with(columns: &str, on_delete: &str, places: &str) -> Fate {
        let schema = stock(columns, on_delete);
        let graph = Graph::new(&schema);
        let assignment: Assignment = assignment(places);
        let layout = Layout::from_assignment(&graph, &assignment, &["public".into()], "assignment").unwrap();
        let keys = global_foreign_keys(&graph);
        assert_eq!(keys.len(), 1);
        fate(&layout, &keys[0])
    }

    #[test]
    fn reads_the_definition() {
        let schema = stock("shop_id bigint, item_id bigint", "set null 1");
        let graph = Graph::new(&schema);
        let keys = global_foreign_keys(&graph);
        let key = &keys[0].declared;
        assert_eq!((key.columns.join(","), key.referenced_columns.join(",")), ("item_id".into(), "item_id".into()));
        assert_eq!((key.on_delete, key.on_update), (ReferentialAction::SetNull, ReferentialAction::Cascade));
        assert_eq!(key.on_delete_columns, ["item_id"]);
        assert!(key.deferrable && key.initially_deferred);
    }

    #[test]
    fn is_kept_where_both_stay() {
        assert_eq!(fate_of("shop_id bigint, item_id bigint", ""), Fate::Kept);
    }

    #[test]
    fn goes_on_natively_where_the_partition_key_was_copied() {
        let places = "stock: distributed shop_id; items: distributed shop_id";
        let Fate::Native { columns, .. } = fate_of("shop_id bigint, item_id bigint, item_added date", places) else {
            panic!("{:?}", fate_of("shop_id bigint, item_id bigint, item_added date", places));
        };
        assert_eq!(columns, [(0, 0), (1, 1), (2, 2)]);
        // Not with an action that Citus refuses.
        match fate_with("shop_id bigint, item_id bigint, item_added date", "set null 1", places) {
            Fate::Lost { why } => assert!(why.contains("CA407"), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn is_lost_with_its_reason() {
        let both = "stock: distributed shop_id; items: distributed shop_id";
        for (columns, places, reason) in [
            ("shop_id bigint, item_id bigint", both, "partition key of public.items, added"),
            // Called the same, but each row's own.
            ("shop_id bigint, item_id bigint, added date", both, "no column item_added"),
            ("shop_id bigint, item_id bigint, item_added timestamp", both, "no column item_added"),
            ("shop_id bigint, item_id bigint", "stock: distributed shop_id", "public.items stays"),
            (
                "shop_id bigint, item_id bigint",
                "items: distributed shop_id",
                "public.items is distributed and public.stock is not",
            ),
            (
                "shop_id bigint, item_id bigint",
                "stock: distributed item_id; items: distributed shop_id",
                "do not mean the same",
            ),
        ] {
            match fate_of(columns, places) {
                Fate::Lost { why } => assert!(why.contains(reason), "{places}: {why}"),
                other => panic!("{places}: {other:?}"),
            }
        }
    }

    #[test]
    fn reads_names_that_have_to_be_quoted() {
        let definition = "CREATE CONSTRAINT TRIGGER k AFTER INSERT OR UPDATE ON t FOR EACH ROW WHEN (((new.\"A \"\"b)\" IS NOT \
                          NULL) AND (new.c IS NOT NULL))) EXECUTE FUNCTION advisor.check_global_unique('x')";
        assert_eq!(key_columns(definition, "new."), ["\"A \"\"b)\"", "c"]);
        assert_eq!(unquoted("\"A \"\"b)\""), "A \"b)");
        let from =
            "CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON a.b FROM c.\"D e\" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW";
        assert_eq!(other_table(from), Some("c.\"D e\""));
        assert_eq!(other_table("CREATE TRIGGER t AFTER UPDATE ON a.b FOR EACH ROW EXECUTE FUNCTION f()"), None);
    }
}
