//! What a foreign key says beyond its columns, as its users write it and as its triggers carry it.

use std::fmt;

/// Which rows need a referenced row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Match {
    /// Those without NULL in their key.
    Simple,
    /// All but those whose key is all NULL; a key that is partly NULL is refused.
    Full,
}

impl Match {
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "simple" => Some(Match::Simple),
            "full" => Some(Match::Full),
            _ => None,
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Match::Simple => "simple",
            Match::Full => "full",
        })
    }
}

/// What happens to referencing rows when their referenced row goes, or changes its key. Columns are positions in the
/// key, so that renaming does not matter; empty: all of them.
// In SQL's own words.
#[allow(clippy::enum_variant_names)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull(Vec<usize>),
    SetDefault(Vec<usize>),
}

impl Action {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(list) = text.strip_prefix("set null") {
            return positions(list).map(Action::SetNull);
        }
        if let Some(list) = text.strip_prefix("set default") {
            return positions(list).map(Action::SetDefault);
        }
        match text {
            "no action" => Some(Action::NoAction),
            "restrict" => Some(Action::Restrict),
            "cascade" => Some(Action::Cascade),
            _ => None,
        }
    }

    /// Reads what users write: `cascade`, `set null`, `set null (a, b)`. `Err`: what is wrong.
    pub fn parse_named(text: &str, columns: &[String]) -> Result<Self, String> {
        let (words, list) = match text.split_once('(') {
            Some((words, rest)) => match rest.trim().strip_suffix(')') {
                Some(list) => (words, Some(list)),
                None => return Err("the list of columns has no end".to_owned()),
            },
            None => (text, None),
        };
        let words = words.split_whitespace().map(str::to_ascii_lowercase).collect::<Vec<_>>().join(" ");
        let positions = match list {
            None => Vec::new(),
            Some(list) => {
                let names = names(list).ok_or("the list of columns cannot be read")?;
                let mut positions = Vec::new();
                for name in names {
                    let position = columns.iter().position(|column| *column == name);
                    positions
                        .push(position.ok_or_else(|| format!("column \"{name}\" is not part of the foreign key"))?);
                }
                positions
            }
        };
        match words.as_str() {
            "set null" => Ok(Action::SetNull(positions)),
            "set default" => Ok(Action::SetDefault(positions)),
            _ if list.is_some() => Err(format!("a column list makes no sense with \"{words}\"")),
            words => Action::parse(words)
                .ok_or_else(|| format!("\"{words}\" is none of no action, restrict, cascade, set null, set default")),
        }
    }

    /// As users write it; `quoted`: the referencing columns as SQL has them.
    pub fn named(&self, quoted: &[String]) -> String {
        let list = |words: &str, positions: &[usize]| {
            if positions.is_empty() {
                return words.to_owned();
            }
            let names: Vec<&str> = positions.iter().filter_map(|&at| quoted.get(at).map(String::as_str)).collect();
            format!("{words} ({})", names.join(", "))
        };
        match self {
            Action::SetNull(positions) => list("set null", positions),
            Action::SetDefault(positions) => list("set default", positions),
            other => other.to_string(),
        }
    }

    /// Whether it can wait for the end of the transaction.
    pub fn can_be_deferred(&self) -> bool {
        *self == Action::NoAction
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, positions) = match self {
            Action::NoAction => ("no action", None),
            Action::Restrict => ("restrict", None),
            Action::Cascade => ("cascade", None),
            Action::SetNull(positions) => ("set null", Some(positions)),
            Action::SetDefault(positions) => ("set default", Some(positions)),
        };
        f.write_str(words)?;
        positions.into_iter().flatten().try_for_each(|at| write!(f, " {}", at + 1))
    }
}

fn positions(list: &str) -> Option<Vec<usize>> {
    list.split_whitespace().map(|number| number.parse::<usize>().ok()?.checked_sub(1)).collect()
}

/// Names in a list, folded as SQL folds them.
fn names(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    loop {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut tail = quoted;
            loop {
                let end = tail.find('"')?;
                text.push_str(&tail[..end]);
                tail = &tail[end + 1..];
                match tail.strip_prefix('"') {
                    Some(more) => {
                        text.push('"');
                        tail = more;
                    }
                    None => break,
                }
            }
            name = text;
            rest = tail;
        } else {
            let end = rest.find([',', ' ', '\t', '\n']).unwrap_or(rest.len());
            name = rest[..end].to_lowercase();
            rest = &rest[end..];
        }
        if name.is_empty() {
            return None;
        }
        names.push(name);
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(names),
        }
    }
}

/// Everything that is not a name: the arguments of a foreign key's triggers behind the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    pub matching: Match,
    pub on_delete: Action,
    pub on_update: Action,
}

impl Terms {
    pub fn parse(arguments: &[&[u8]]) -> Option<Self> {
        let [matching, on_delete, on_update] = arguments else { return None };
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some(Terms {
            matching: Match::parse(text(matching)?)?,
            on_delete: Action::parse(text(on_delete)?)?,
            on_update: Action::parse(text(on_update)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_read_what_they_write() {
        for action in [
            Action::NoAction,
            Action::Restrict,
            Action::Cascade,
            Action::SetNull(vec![]),
            Action::SetNull(vec![1, 0]),
            Action::SetDefault(vec![2]),
        ] {
            assert_eq!(Action::parse(&action.to_string()), Some(action));
        }
        for wrong in ["", "set", "set null x", "set null 0", "Cascade", "cascade 1"] {
            assert_eq!(Action::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn users_name_columns_as_sql_does() {
        let columns = ["tenant".to_owned(), "Item, \"old\"".to_owned(), "c".to_owned()];
        let parse = |text: &str| Action::parse_named(text, &columns);
        assert_eq!(parse(" SET  Null "), Ok(Action::SetNull(vec![])));
        assert_eq!(parse("set null (C , TENANT)"), Ok(Action::SetNull(vec![2, 0])));
        assert_eq!(parse("set default(\"Item, \"\"old\"\"\")"), Ok(Action::SetDefault(vec![1])));
        assert!(parse("set null (d)").is_err_and(|e| e.contains("not part")));
        assert!(parse("cascade (c)").is_err());
        assert!(parse("set null (c").is_err());
        assert!(parse("set null ()").is_err());
        assert!(parse("whatever").is_err());
        let quoted = ["tenant".to_owned(), "\"Item, \"\"old\"\"\"".to_owned(), "c".to_owned()];
        assert_eq!(parse(&Action::SetNull(vec![1, 2]).named(&quoted)), Ok(Action::SetNull(vec![1, 2])));
    }
}
