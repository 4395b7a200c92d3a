//! What holds for every rule of the register.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use citus_planner::rules::{Effect, Level, RULES};

const HEADINGS: [&str; 6] =
    ["## What it is", "## Why on Citus", "## Example", "## Use instead", "## When to ignore", "## Source"];

#[test]
fn codes_and_names_are_unique_and_well_formed() {
    let codes: BTreeSet<_> = RULES.iter().map(|r| r.code).collect();
    let names: BTreeSet<_> = RULES.iter().map(|r| r.name).collect();
    assert_eq!((codes.len(), names.len()), (RULES.len(), RULES.len()));
    for rule in RULES {
        let digits = rule.code.strip_prefix("CA").expect(rule.code);
        assert!(digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()), "{}", rule.code);
        assert!(rule.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", rule.name);
    }
}

#[test]
fn every_rule_is_explained() {
    for rule in RULES {
        let mut rest = rule.explanation;
        for heading in HEADINGS {
            let at = rest.find(&format!("{heading}\n\n")).unwrap_or_else(|| panic!("{} lacks {heading}", rule.name));
            rest = &rest[at..];
        }
        assert!(rule.explanation.starts_with(HEADINGS[0]), "{}", rule.name);
        assert!(rest.contains(rule.source), "{}: the explanation names another source", rule.name);
        assert!(rule.explanation.lines().all(|l| l.trim_end() == l), "{}: trailing space", rule.name);
        for text in [rule.title, rule.remediation, rule.source] {
            assert!(!text.is_empty() && !text.contains('\n'), "{}", rule.name);
        }
        assert!(!rule.title.ends_with('.') && rule.remediation.ends_with('.'), "{}", rule.name);
    }
}

#[test]
fn levels_fit_effects() {
    for rule in RULES {
        match rule.effect {
            Effect::Blocked => assert_eq!(rule.level, Level::Error, "{}", rule.name),
            Effect::Advice => assert_ne!(rule.level, Level::Error, "{}", rule.name),
            _ => {}
        }
    }
}

/// One file a rule, each with tests of its own that name the rule, one for a finding and one for none.
#[test]
fn every_rule_has_a_rejecting_and_an_accepting_test() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
    for rule in RULES {
        let file = directory.join(format!("{}.rs", rule.name.replace('-', "_")));
        let source = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let tests = source.split_once("mod tests {").unwrap_or_else(|| panic!("{} has no tests", rule.name)).1;
        assert!(tests.contains(&format!("\"{}", rule.name)), "{}: its tests do not name it", rule.name);
        let accepts = ["is_empty()", "assert!(!", "expected", "accepts", "but_not"];
        assert!(accepts.iter().any(|a| tests.contains(a)), "{}: no accepting test", rule.name);
        assert!(tests.contains("assert_eq!") || tests.contains("assert!(refuses("), "{}: no rejecting test", rule.name);
    }
}
