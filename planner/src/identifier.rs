//! SQL identifiers: quoting as PostgreSQL does it, parsing as `regclass` does it, literals.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest identifier in bytes (`NAMEDATALEN - 1`); longer ones are cut, as the server's parser cuts them.
pub const MAX_IDENTIFIER_BYTES: usize = 63;

/// A schema-qualified relation; raw names, as in the catalog.
///
/// Displays quoted where SQL needs it: `public.payment_events`, `"App Data"."Ünï tbl"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationName {
    pub schema: String,
    pub name: String,
}

impl RelationName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        RelationName { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(&self.schema) && is_plain(&self.name) {
            f.write_str(&self.schema)?;
            f.write_str(".")?;
            return f.write_str(&self.name);
        }
        write!(f, "{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

/// Quotes where needed, as `quote_identifier()` in ruleutils.c does (with the keywords of PostgreSQL 15 to 18 together).
pub fn quote_identifier(raw: &str) -> String {
    if is_plain(raw) { raw.to_owned() } else { format!("\"{}\"", raw.replace('"', "\"\"")) }
}

/// Whether a name needs no quotes.
fn is_plain(raw: &str) -> bool {
    let letter = |c: u8| c == b'_' || c.is_ascii_lowercase();
    let bytes = raw.as_bytes();
    bytes.first().is_some_and(|&c| letter(c))
        && bytes.iter().all(|&c| letter(c) || c.is_ascii_digit())
        // No keyword has a digit.
        && (bytes.iter().any(u8::is_ascii_digit) || KEYWORDS.binary_search(&raw).is_err())
}

/// A comma-separated list of quoted identifiers.
pub fn quote_identifiers<'a>(raw: impl IntoIterator<Item = &'a str>) -> String {
    raw.into_iter().map(quote_identifier).collect::<Vec<_>>().join(", ")
}

/// A string literal, safe whatever `standard_conforming_strings` says (as `quote_literal()`).
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Splits `schema.name` or `name` the way `stringToQualifiedNameList()` does: unquoted parts are folded to lower case,
/// quoted ones kept, both cut to 63 bytes. Returns `None` where that is not a possible relation name.
pub fn parse_qualified_name(text: &str) -> Option<(Option<String>, String)> {
    let mut rest = text.trim_matches(is_space);
    let mut parts = Vec::new();
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut characters = quoted.char_indices().peekable();
            let end = loop {
                let (at, c) = characters.next()?;
                if c != '"' {
                    value.push(c);
                } else if characters.peek().is_some_and(|&(_, next)| next == '"') {
                    characters.next();
                    value.push('"');
                } else {
                    break at + 1;
                }
            };
            rest = &quoted[end..];
            part = value;
        } else {
            let end = rest.find(|c: char| c == '.' || is_space(c)).unwrap_or(rest.len());
            if rest[..end].contains('"') {
                return None;
            }
            part = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
        }
        if part.is_empty() {
            return None;
        }
        parts.push(cut(part));
        rest = rest.trim_start_matches(is_space);
        match rest.strip_prefix('.') {
            Some(next) => rest = next.trim_start_matches(is_space),
            None if rest.is_empty() => break,
            None => return None,
        }
    }
    let name = parts.pop()?;
    match parts.len() {
        0 => Some((None, name)),
        1 => Some((parts.pop(), name)),
        _ => None,
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn cut(mut name: String) -> String {
    if name.len() > MAX_IDENTIFIER_BYTES {
        let end = (0..=MAX_IDENTIFIER_BYTES).rev().find(|&i| name.is_char_boundary(i)).unwrap_or(0);
        name.truncate(end);
    }
    name
}

/// Keywords that `quote_identifier` quotes: all but the unreserved ones, PostgreSQL 15 to 18. Sorted.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_postgresql_does() {
        for (raw, quoted) in [
            ("plain_1", "plain_1"),
            ("Mixed", "\"Mixed\""),
            ("1st", "\"1st\""),
            ("a b", "\"a b\""),
            ("a\"b;--", "\"a\"\"b;--\""),
            ("order", "\"order\""),
            ("name", "name"),
            ("values", "\"values\""),
            ("größe", "\"größe\""),
            ("", "\"\""),
        ] {
            assert_eq!(quote_identifier(raw), quoted);
        }
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn parses_names_like_regclass() {
        let parse = |s: &str| parse_qualified_name(s).map(|(s, n)| format!("{}|{n}", s.unwrap_or_default()));
        assert_eq!(parse("Foo.BAR").as_deref(), Some("foo|bar"));
        assert_eq!(parse(" \"A.b\" . \"c\"\"d\" ").as_deref(), Some("A.b|c\"d"));
        assert_eq!(parse("t").as_deref(), Some("|t"));
        for bad in ["", ".", "a.", ".a", "a b", "\"a", "a.b.c", "\"\"", "a\"b\""] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&"ä".repeat(40)).unwrap().len(), 1 + 62);
    }

    #[test]
    fn literals_survive_either_setting_of_standard_conforming_strings() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b'"), "E'a\\\\b'''");
    }
}
