//! Compares what the advisor reports with what a real Citus answered: the rules of `oracle/README.md`, for rows of
//! `check_distribution` wherever they come from (a replayed model, or a server).

use std::collections::{BTreeMap, BTreeSet};

use citus_planner::rules::Finding;
use regex::Regex;
use serde_json::Value;

/// A row of `check_distribution`, as far as the comparison needs it.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub effect: String,
    pub relation: String,
    pub object_type: String,
    pub object_name: String,
    pub message: String,
}

impl From<&Finding> for Row {
    fn from(f: &Finding) -> Self {
        Row {
            name: f.name.to_owned(),
            effect: f.effect.as_str().to_owned(),
            relation: f.relation.to_string(),
            object_type: f.object_type.as_str().to_owned(),
            object_name: f.object_name.clone(),
            message: f.message.clone(),
        }
    }
}

/// A row of `check_distribution` or `check_data` as JSON.
impl From<&Value> for Row {
    fn from(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Row {
            name: text("name"),
            effect: text("effect"),
            relation: text("relation"),
            object_type: text("object_type"),
            object_name: text("object_name"),
            message: text("message"),
        }
    }
}

/// How a rejection is called: an entry of `codes.json`.
pub struct Code {
    scope: String,
    code: String,
    message: Regex,
    detail: Option<Regex>,
}

/// Reads `codes.json`.
pub fn codes(json: &Value) -> Vec<Code> {
    let entry = |e: &Value| Code {
        scope: e["scope"].as_str().unwrap().to_owned(),
        code: e["code"].as_str().unwrap().to_owned(),
        message: Regex::new(e["message"].as_str().unwrap()).unwrap(),
        detail: e["detail"].as_str().map(|d| Regex::new(d).unwrap()),
    };
    json.as_array().unwrap().iter().map(entry).collect()
}

/// Rejections that come from rows: `check_distribution` does not read them (`check_data` does).
const FROM_ROWS: [&str; 4] = ["distcol-null-data", "fk-not-valid", "check-not-valid", "long-names"];

/// Kinds of objects that are compared.
const KINDS: [&str; 10] = [
    "primary key",
    "unique",
    "unique index",
    "exclusion",
    "foreign key",
    "index",
    "trigger",
    "policy",
    "statistics",
    "ClusterOn",
];

/// What came out, summed over cases.
#[derive(Default)]
pub struct Outcome {
    /// Whether the advisor looked at rows too: nothing is left out then.
    pub rows_were_read: bool,
    pub tables: usize,
    pub objects: usize,
    /// Rejected and reported as blocked.
    pub hits: usize,
    /// Accepted, but reported as blocked.
    pub false_alarms: Vec<String>,
    /// Rejected, but not reported as blocked.
    pub misses: Vec<String>,
    /// Reported as blocked, but not under the code of the verdict.
    pub other_codes: Vec<String>,
    /// Hits whose message is the verdict's to the letter.
    pub equal_messages: usize,
    pub other_messages: Vec<String>,
    /// Hits on indexes of partitions, judged by their parent: their messages differ in the name of the table.
    pub followers: usize,
    /// Rejections that only the rows explain, left out.
    pub from_rows: Vec<String>,
}

impl Outcome {
    pub fn precision(&self) -> f64 {
        ratio(self.hits, self.hits + self.false_alarms.len())
    }

    pub fn recall(&self) -> f64 {
        ratio(self.hits, self.hits + self.misses.len())
    }

    pub fn share_of_equal_messages(&self) -> f64 {
        ratio(self.equal_messages, self.hits - self.followers)
    }

    /// Every difference, a line each.
    pub fn print(&self) {
        let sections = [
            ("false alarm", &self.false_alarms),
            ("miss", &self.misses),
            ("other code", &self.other_codes),
            ("other message", &self.other_messages),
            ("left to check_data", &self.from_rows),
        ];
        for (title, lines) in sections {
            lines.iter().for_each(|line| println!("{title}: {line}"));
        }
    }

    pub fn summary(&self) -> String {
        format!(
            "{} tables and {} objects compared: precision {:.3}, recall {:.3}, {} of {} messages equal ({:.1} %), {} left to \
             check_data",
            self.tables,
            self.objects,
            self.precision(),
            self.recall(),
            self.equal_messages,
            self.hits - self.followers,
            100.0 * self.share_of_equal_messages(),
            self.from_rows.len()
        )
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Adds one case: its `verdict.json` and the advisor's rows under its assignment.
pub fn compare(case: &str, verdict: &Value, codes: &[Code], rows: &[Row], outcome: &mut Outcome) {
    let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
    let blocked: Vec<&Row> = rows.iter().filter(|r| r.effect == "blocked").collect();
    for table in verdict["tables"].as_array().unwrap() {
        let name = text(table, "table");
        let of_table = |r: &&&Row| r.relation == name && ["table", "column"].contains(&r.object_type.as_str());
        let found: Vec<&Row> = blocked.iter().filter(of_table).copied().collect();
        outcome.tables += 1;
        judge(&format!("{case}: table {name}"), table, "table", codes, &found, outcome);
    }
    let parents = parents_of_indexes(verdict);
    let owners = owners_of_indexes(verdict);
    for object in verdict["objects"].as_array().unwrap() {
        let (kind, mut relation, mut name) = (text(object, "kind"), text(object, "relation"), text(object, "name"));
        if !KINDS.contains(&kind.as_str()) {
            continue;
        }
        let what = format!("{case}: {kind} {name} of {relation}");
        // The index of a partition follows that of the parent; its message would name the partition.
        let mut seen = BTreeSet::new();
        while let Some(parent) =
            parents.get(&(schema_of(&relation), name.clone())).filter(|p| seen.insert((*p).clone()))
        {
            name.clone_from(&parent.1);
            relation.clone_from(&owners[parent]);
        }
        let of_object = |r: &&&Row| {
            r.relation == relation && r.object_name == name && (r.object_type == "cluster") == (kind == "ClusterOn")
        };
        let found: Vec<&Row> = blocked.iter().filter(of_object).copied().collect();
        outcome.objects += 1;
        let quotes = outcome.other_messages.len();
        judge(&what, object, "object", codes, &found, outcome);
        if !seen.is_empty() && outcome.other_messages.len() > quotes {
            outcome.other_messages.pop();
            outcome.followers += 1;
        }
    }
}

fn judge(what: &str, entry: &Value, scope: &str, codes: &[Code], found: &[&Row], outcome: &mut Outcome) {
    let rejected = entry["verdict"] == "rejected";
    let names: Vec<&str> = found.iter().map(|r| r.name.as_str()).collect();
    if !rejected {
        if !found.is_empty() {
            outcome.false_alarms.push(format!("{what}: {names:?}"));
        }
        return;
    }
    let message = entry["message"].as_str().unwrap_or_default();
    let code = code_of(entry, scope, codes);
    if found.is_empty() && FROM_ROWS.contains(&code.as_str()) && !outcome.rows_were_read {
        outcome.from_rows.push(format!("{what}: {code}"));
    } else if found.is_empty() {
        outcome.misses.push(format!("{what}: {code}: {message}"));
    } else {
        outcome.hits += 1;
        let same = |name: &&str| {
            **name == code
                || ["dependent", "unknown"].contains(&code.as_str())
                // One message of Citus stands for several rules.
                || code == "unsupported-relkind-or-inheritance" && ["unsupported-relkind", "inheritance"].contains(name)
                || code == "foreign-table" && *name == "foreign-partition"
                || code == "unique-missing-distcol"
                    && ["exclude-missing-distcol-equality", "unique-distcol-only-in-expression"].contains(name)
        };
        if !names.iter().any(same) {
            outcome.other_codes.push(format!("{what}: {names:?}, not {code}"));
        }
        if found.iter().any(|r| r.message == message) {
            outcome.equal_messages += 1;
        } else {
            let said: Vec<&str> = found.iter().map(|r| r.message.as_str()).collect();
            outcome.other_messages.push(format!("{what}:\n    Citus:   {message}\n    advisor: {said:?}"));
        }
    }
}

fn code_of(entry: &Value, scope: &str, codes: &[Code]) -> String {
    let (message, detail) =
        (entry["message"].as_str().unwrap_or_default(), entry["detail"].as_str().unwrap_or_default());
    let fits = |c: &&Code| {
        (c.scope == scope || c.scope == "both")
            && c.message.is_match(message)
            && c.detail.as_ref().is_none_or(|d| d.is_match(detail))
    };
    codes.iter().find(fits).map_or_else(|| "unknown".to_owned(), |c| c.code.clone())
}

/// (schema, index) of partitions to (schema, index) of their parents, from the statements that attach them.
fn parents_of_indexes(verdict: &Value) -> BTreeMap<(String, String), (String, String)> {
    let attach = Regex::new(r"^ALTER INDEX (.+) ATTACH PARTITION (.+)$").unwrap();
    let statements = verdict["objects"].as_array().unwrap().iter().filter_map(|o| o["statement"].as_str());
    let found = statements.filter_map(|s| attach.captures(s));
    found.map(|c| (schema_and_name(&c[2]), schema_and_name(&c[1]))).collect()
}

/// (schema, index) to the table that has it.
fn owners_of_indexes(verdict: &Value) -> BTreeMap<(String, String), String> {
    let objects = verdict["objects"].as_array().unwrap().iter();
    let owner = |o: &Value| {
        let relation = o["relation"].as_str()?;
        KINDS[..6].contains(&o["kind"].as_str()?).then_some(())?;
        Some(((schema_of(relation), o["name"].as_str()?.to_owned()), relation.to_owned()))
    };
    objects.filter_map(owner).collect()
}

fn schema_of(relation: &str) -> String {
    schema_and_name(relation).0
}

/// Splits `schema.name`, either of which may be quoted, into raw names.
fn schema_and_name(text: &str) -> (String, String) {
    let (schema, name) = citus_planner::identifier::parse_qualified_name(text.trim_end_matches(';')).unwrap();
    (schema.unwrap_or_default(), name)
}
