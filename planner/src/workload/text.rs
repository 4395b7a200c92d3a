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
        mended += match pieces[at] {
            Piece::Word(t) | Piece::Parameter(t) | Piece::Space(t) | Piece::Other(t) => t,
        };
        at += 1;
    }
    mended
}

/// Every `$n` as `NULL`: the two `$n` that one constant has become, in the select list and in GROUP BY, are equal again.
pub fn without_parameters(text: &str) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Parameter(_) => "NULL",
            Piece::Word(t) | Piece::Space(t) | Piece::Other(t) => t,
        })
        .collect()
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
        assert_eq!(without_parameters("f($1, '$1') = $12"), "f(NULL, '$1') = NULL");
    }
}
