//! `docs/rules/` is written from the register: one page a rule, and an index. This fails when they drift;
//! `BLESS=1 cargo test -p citus_planner --test rule_pages` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use citus_planner::rules::{Effect, RULES, Rule};

const NOTICE: &str =
    "<!-- Written from planner/src/rules by BLESS=1 cargo test -p citus_planner --test rule_pages; do not edit. -->";

/// Families of codes, as the register has them.
const FAMILIES: [(&str, &str); 8] = [
    ("CA1", "Tables"),
    ("CA2", "Distribution columns"),
    ("CA3", "Primary keys, unique and exclusion constraints"),
    ("CA4", "Foreign keys"),
    ("CA5", "Triggers, rules, policies"),
    ("CA6", "Columns, sequences, defaults, checks, types"),
    ("CA7", "Views, indexes, statistics, replication"),
    ("CA9", "Quality of the choice"),
];

fn what_happens(effect: Effect) -> &'static str {
    match effect {
        Effect::Blocked => "Citus refuses it",
        Effect::Data => "refused if the rows are so; `advisor.check_data()` looks at them",
        Effect::Silent => "accepted, but it means something else",
        Effect::Runtime => "accepted, but some statements fail later",
        Effect::Advice => "works, and could be better",
    }
}

fn page(rule: &Rule) -> String {
    // The page's title is the only heading of the first level.
    format!(
        "{NOTICE}\n\n# {} {}\n\n{}.\n\n- **Level:** {}\n- **Effect:** `{}`: {}\n- **What to do:** {}\n{}\n{}\n",
        rule.code,
        rule.name,
        capitalized(rule.title),
        rule.level.as_str(),
        rule.effect.as_str(),
        what_happens(rule.effect),
        rule.remediation,
        releases(rule),
        rule.explanation.trim_end(),
    )
}

/// A line for a rule that not every release has.
fn releases(rule: &Rule) -> String {
    let ranges: Vec<String> = rule.releases.iter().map(|r| r.to_string()).collect();
    if ranges.is_empty() { String::new() } else { format!("- **Citus releases:** {}\n", ranges.join("; ")) }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        // Words of SQL and names with capitals stay.
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn index() -> String {
    let mut text = format!(
        "{NOTICE}\n\n# Rules\n\nEverything that Citus objects to, and what it accepts but changes. The view `advisor.rules` \
         has the same texts.\n`SELECT * FROM advisor.check_distribution('{{...}}')` tells which of them hold for a \
         distribution of your own.\n\n\
         A finding that you know and accept is left out of reports by a row in `advisor.ignored_findings`: its \
         fingerprint, and why.\n"
    );
    for (prefix, heading) in FAMILIES {
        text += &format!("\n## {heading}\n\n| code | rule | level | effect | in one line |\n|---|---|---|---|---|\n");
        for rule in RULES.iter().filter(|r| r.code.starts_with(prefix)) {
            text += &format!(
                "| {} | [{name}]({name}.md) | {} | {} | {} |\n",
                rule.code,
                rule.level.as_str(),
                rule.effect.as_str(),
                rule.title.replace('|', "\\|"),
                name = rule.name,
            );
        }
    }
    text
}

fn expected() -> BTreeMap<String, String> {
    let pages = RULES.iter().map(|rule| (format!("{}.md", rule.name), page(rule)));
    pages.chain([("README.md".to_owned(), index())]).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules")
}

fn files() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(directory()) else { return BTreeMap::new() };
    let read =
        |entry: fs::DirEntry| Some((entry.file_name().into_string().ok()?, fs::read_to_string(entry.path()).ok()?));
    entries.filter_map(|e| read(e.unwrap())).collect()
}

#[test]
fn pages_say_what_the_register_says() {
    let (expected, found) = (expected(), files());
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(directory()).unwrap();
        for name in found.keys().filter(|n| !expected.contains_key(*n)) {
            fs::remove_file(directory().join(name)).unwrap();
        }
        for (name, text) in expected.iter().filter(|(name, text)| found.get(*name) != Some(text)) {
            fs::write(directory().join(name), text).unwrap();
        }
        return;
    }
    let names = || expected.keys().chain(found.keys());
    let drifted: Vec<&String> = names().filter(|n| expected.get(*n) != found.get(*n)).collect();
    assert!(
        drifted.is_empty(),
        "docs/rules and the register differ in {drifted:?}: BLESS=1 cargo test -p citus_planner --test rule_pages"
    );
}

#[test]
fn every_rule_is_in_the_index_once() {
    let index = index();
    for rule in RULES {
        assert_eq!(index.matches(&format!("]({}.md)", rule.name)).count(), 1, "{}", rule.name);
    }
}
