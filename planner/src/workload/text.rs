//! The text of a statement as `pg_stat_statements` keeps it. It puts `$n` for every constant, also where the grammar takes no
//! parameter; what is changed here serves the analysis and is shown to nobody.

/// Types whose constants people write behind the type's name: `interval '1 day'`.
const TYPED: [&str; 6] = ["date", "time", "timestamp", "timestamptz", "timetz", "interval"];

/// A piece of SQL.
#[derive(Clone, Copy, PartialEq)]
enum Piece<'t> {
    Word(&'t str),
    Parameter(&'t str),
    Space(&'t str),
    /// Strings, quoted names, comments, signs: kept as they are.
    Other(&'t str),
}

impl<'t> Piece<'t> {
    fn text(self) -> &'t str {
        match self {
            Piece::Word(t) | Piece::Parameter(t) | Piece::Space(t) | Piece::Other(t) => t,
        }
    }
}

/// The highest `$n`.
pub fn highest_parameter(text: &str) -> usize {
    let number = |piece| match piece {
        Piece::Parameter(p) => p[1..].parse().ok(),
        _ => None,
    };
    pieces(text).into_iter().filter_map(number).max().unwrap_or(0)
}

/// `interval $1` as `CAST($1 AS interval)`, `extract($1 FROM x)` as `extract(epoch FROM x)`.
pub fn mend_constants(text: &str) -> String {
    let pieces = pieces(text);
    let mut mended = String::new();
    let mut at = 0;
    while at < pieces.len() {
        let word = |piece: Option<&Piece<'_>>| match piece {
            Some(Piece::Word(w)) => w.to_lowercase(),
            _ => String::new(),
        };
        let meaningful = |from: usize| (from..pieces.len()).find(|&i| !matches!(pieces[i], Piece::Space(_)));
        let name = word(pieces.get(at));
        if TYPED.contains(&name.as_str()) {
            // `timestamp with time zone $1`
            let mut end = at + 1;
            let mut full = name.clone();
            let words: Vec<(usize, String)> = (at + 1..pieces.len())
                .filter(|&i| !matches!(pieces[i], Piece::Space(_)))
                .take(3)
                .map(|i| (i, word(pieces.get(i))))
                .collect();
            if let [(_, with), (_, time), (last, zone)] = words.as_slice()
                && (with == "with" || with == "without")
                && (time.as_str(), zone.as_str()) == ("time", "zone")
            {
                full = format!("{name} {with} time zone");
                end = last + 1;
            }
            if let Some(next) = meaningful(end)
                && let Piece::Parameter(parameter) = pieces[next]
            {
                mended += &format!("CAST({parameter} AS {full})");
                at = next + 1;
                continue;
            }
        }
        if name == "extract"
            && let Some(open) = meaningful(at + 1).filter(|&i| pieces[i] == Piece::Other("("))
            && let Some(field) = meaningful(open + 1).filter(|&i| matches!(pieces[i], Piece::Parameter(_)))
        {
            mended += "extract(epoch";
            at = field + 1;
            continue;
        }
        mended += pieces[at].text();
        at += 1;
    }
    mended
}

/// The two `$n` that one constant has become, in GROUP BY and in the select list (or in HAVING, or in ORDER BY), as one again:
/// else PostgreSQL says that a column must appear in GROUP BY. What is equal but for its parameters is taken for equal.
pub fn with_equal_groups(text: &str) -> String {
    let mut pieces = pieces(text);
    let solid: Vec<usize> = (0..pieces.len()).filter(|&i| !matches!(pieces[i], Piece::Space(_))).collect();
    let depths = depths(&pieces, &solid);
    let is = |pieces: &[Piece<'_>], at: usize, word: &str| is_word(pieces[solid[at]], word);
    for by in 1..solid.len() {
        if !(is(&pieces, by, "by") && is(&pieces, by - 1, "group")) {
            continue;
        }
        let depth = depths[by];
        // The clause ends with the query, or where another begins; what follows it may hold the expression too.
        let inside = |at: &usize| depths[*at] >= depth;
        let query_end = (by..solid.len()).find(|at| !inside(at)).unwrap_or(solid.len());
        let ends = |at: &usize| depths[*at] == depth && AFTER_GROUP_BY.iter().any(|word| is(&pieces, *at, word));
        let end = (by + 1..query_end).find(ends).unwrap_or(query_end);
        let select = (0..by).rev().take_while(inside).find(|&at| depths[at] == depth && is(&pieces, at, "select"));
        let Some(select) = select else { continue };
        let from = (select..by).find(|&at| depths[at] == depth && is(&pieces, at, "from")).unwrap_or(by);
        for group in items(&pieces, &solid, &depths, by + 1, end) {
            let wanted: Vec<usize> = group.clone().collect();
            let length = wanted.len();
            for start in (select + 1..from).chain(end..query_end) {
                if start + length > query_end || start < from && start + length > from {
                    continue;
                }
                let alike =
                    wanted.iter().enumerate().all(|(i, &at)| match (pieces[solid[at]], pieces[solid[start + i]]) {
                        (Piece::Parameter(_), Piece::Parameter(_)) => true,
                        (Piece::Word(a), Piece::Word(b)) => a.eq_ignore_ascii_case(b),
                        (a, b) => a == b,
                    });
                // A parameter by itself is alike to any other.
                if alike && (length > 1 || is_item(&pieces, &solid, start)) {
                    for (i, &at) in wanted.iter().enumerate() {
                        pieces[solid[start + i]] = pieces[solid[at]];
                    }
                }
            }
        }
    }
    pieces.into_iter().map(Piece::text).collect()
}

/// What a recursive query begins with, of a type: `SELECT $1 UNION ALL SELECT n + $2` as `SELECT CAST($1 AS integer) UNION ...`.
/// Unlike the constant that it was, a parameter there would be of type text. `None` where no query is recursive.
pub fn with_typed_items(text: &str, data_type: &str) -> Option<String> {
    let pieces = pieces(text);
    let solid: Vec<usize> = (0..pieces.len()).filter(|&i| !matches!(pieces[i], Piece::Space(_))).collect();
    if !solid.iter().any(|&i| is_word(pieces[i], "recursive")) {
        return None;
    }
    let items: Vec<usize> = (0..solid.len())
        .filter(|&at| matches!(pieces[solid[at]], Piece::Parameter(_)) && is_item(&pieces, &solid, at))
        .map(|at| solid[at])
        .collect();
    let typed = pieces.iter().enumerate().map(|(i, piece)| match items.contains(&i) {
        true => format!("CAST({} AS {data_type})", piece.text()),
        false => piece.text().to_owned(),
    });
    Some(typed.collect())
}

/// Clauses that may follow GROUP BY.
const AFTER_GROUP_BY: [&str; 11] =
    ["having", "window", "order", "limit", "offset", "fetch", "for", "union", "intersect", "except", "returning"];

fn is_word(piece: Piece<'_>, word: &str) -> bool {
    matches!(piece, Piece::Word(w) if w.eq_ignore_ascii_case(word))
}

/// How many parentheses are open at each piece.
fn depths(pieces: &[Piece<'_>], solid: &[usize]) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut depths = Vec::new();
    for &i in solid {
        if pieces[i] == Piece::Other(")") {
            depth = depth.saturating_sub(1);
        }
        depths.push(depth);
        if pieces[i] == Piece::Other("(") {
            depth += 1;
        }
    }
    depths
}

/// What commas part, between two positions.
fn items(
    pieces: &[Piece<'_>],
    solid: &[usize],
    depths: &[usize],
    start: usize,
    end: usize,
) -> Vec<std::ops::Range<usize>> {
    let mut items = Vec::new();
    let mut first = start;
    for at in start..end {
        if pieces[solid[at]] == Piece::Other(",") && depths[at] == depths[start] {
            items.push(first..at);
            first = at + 1;
        }
    }
    items.push(first..end);
    items.retain(|item| item.clone().any(|at| matches!(pieces[solid[at]], Piece::Parameter(_))));
    items
}

/// Whether a piece is a whole item of a list.
fn is_item(pieces: &[Piece<'_>], solid: &[usize], at: usize) -> bool {
    let before = at.checked_sub(1).map(|b| pieces[solid[b]]);
    let after = solid.get(at + 1).map(|&i| pieces[i]);
    let opens = |p| p == Piece::Other(",") || ["select", "by", "distinct", "all"].iter().any(|w| is_word(p, w));
    let closes = |p| {
        p == Piece::Other(",")
            || p == Piece::Other(")")
            || ["as", "from", "union", "asc", "desc", "where"].iter().any(|w| is_word(p, w))
            || AFTER_GROUP_BY.iter().any(|w| is_word(p, w))
    };
    before.is_some_and(opens) && after.is_none_or(closes)
}

fn pieces<'t>(text: &'t str) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let span = |matches: fn(char) -> bool| rest.find(|c| !matches(c)).unwrap_or(rest.len());
        let until = |end: &str, from: usize| {
            rest.get(from..).and_then(|r| r.find(end)).map_or(rest.len(), |at| from + at + end.len())
        };
        let digits =
            rest[first.len_utf8()..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |at| at + first.len_utf8());
        let (length, make): (usize, fn(&'t str) -> Piece<'t>) = match first {
            c if c.is_whitespace() => (span(char::is_whitespace), Piece::Space),
            '-' if rest.starts_with("--") => (until("\n", 2), Piece::Space),
            '/' if rest.starts_with("/*") => (until("*/", 2), Piece::Space),
            '\'' => (until("'", 1), Piece::Other),
            '"' => (until("\"", 1), Piece::Other),
            '$' if digits > 1 => (digits, Piece::Parameter),
            c if c.is_alphabetic() || c == '_' => (span(|c| c.is_alphanumeric() || c == '_' || c == '$'), Piece::Word),
            c => (c.len_utf8(), Piece::Other),
        };
        let (piece, after) = rest.split_at(length);
        pieces.push(make(piece));
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_behind_a_type_become_casts() {
        for (text, mended) in [
            ("SELECT now() - interval $1", "SELECT now() - CAST($1 AS interval)"),
            ("WHERE t > timestamp  with time zone $2 AND x", "WHERE t > CAST($2 AS timestamp with time zone) AND x"),
            ("d BETWEEN date $1 AND DATE $2", "d BETWEEN CAST($1 AS date) AND CAST($2 AS date)"),
            ("extract($1 FROM ts)", "extract(epoch FROM ts)"),
            ("SELECT 'date $1', \"interval\", date FROM t", "SELECT 'date $1', \"interval\", date FROM t"),
            ("SELECT x -- date $1\nFROM t", "SELECT x -- date $1\nFROM t"),
        ] {
            assert_eq!(mend_constants(text), mended);
        }
    }

    #[test]
    fn parameters_are_found() {
        assert_eq!(highest_parameter("SELECT $2, '$9', a$3, \"$8\" /* $7 */ LIMIT $11"), 11);
        assert_eq!(highest_parameter("SELECT 'ü' $"), 0);
    }

    #[test]
    fn one_constant_in_two_places_is_one_again() {
        for (text, mended) in [
            (
                "SELECT date_trunc($1, ts), count(*) FROM t WHERE a = $2 GROUP BY date_trunc($3, ts) ORDER BY date_trunc($4,ts)",
                "SELECT date_trunc($3, ts), count(*) FROM t WHERE a = $2 GROUP BY date_trunc($3, ts) ORDER BY date_trunc($3,ts)",
            ),
            ("SELECT $1, a FROM t WHERE b = $2 GROUP BY $3, a", "SELECT $3, a FROM t WHERE b = $2 GROUP BY $3, a"),
            (
                "SELECT * FROM (SELECT a + $1 x FROM t GROUP BY a + $2) s WHERE x = $3",
                "SELECT * FROM (SELECT a + $2 x FROM t GROUP BY a + $2) s WHERE x = $3",
            ),
            (
                "SELECT a, f($1) FROM t GROUP BY a HAVING sum(b) > $2",
                "SELECT a, f($1) FROM t GROUP BY a HAVING sum(b) > $2",
            ),
            ("SELECT x FROM t GROUP BY", "SELECT x FROM t GROUP BY"),
            ("GROUP BY a + $1", "GROUP BY a + $1"),
        ] {
            assert_eq!(with_equal_groups(text), mended);
        }
    }

    #[test]
    fn a_recursive_query_begins_with_a_type() {
        let text =
            "WITH RECURSIVE t(n) AS (SELECT $1 UNION ALL SELECT n + $2 FROM t WHERE n < $3) SELECT n FROM t LIMIT $4";
        let typed = "WITH RECURSIVE t(n) AS (SELECT CAST($1 AS integer) UNION ALL SELECT n + $2 FROM t WHERE n < $3) \
                     SELECT n FROM t LIMIT $4";
        assert_eq!(with_typed_items(text, "integer").as_deref(), Some(typed));
        assert_eq!(with_typed_items("SELECT $1", "integer"), None);
    }
}
