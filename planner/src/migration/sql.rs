//! Building blocks of the statements: anonymous blocks whose quotes nobody can break out of, comments on one line,
//! errors with a hint.

use std::fmt::Write;

use crate::identifier::quote_literal;

/// A `DO` block. Everything that destroys or guards is one, so that it is a single statement (`\gexec` runs one at a
/// time), atomic, and out of reach of psql's variables and backslash commands.
#[derive(Default)]
pub(super) struct Block {
    declarations: String,
    body: String,
}

impl Block {
    pub(super) fn new() -> Self {
        Block::default()
    }

    /// A variable, as `name type`.
    pub(super) fn declare(mut self, declaration: &str) -> Self {
        let _ = writeln!(self.declarations, "  {declaration};");
        self
    }

    /// A statement, without the semicolon. It is never re-indented: a quoted name in it may contain newlines.
    pub(super) fn run(mut self, statement: impl AsRef<str>) -> Self {
        let _ = writeln!(self.body, "  {};", statement.as_ref());
        self
    }

    pub(super) fn run_all(self, statements: impl IntoIterator<Item = String>) -> Self {
        statements.into_iter().fold(self, Block::run)
    }

    /// Ends the block early, with success: there is nothing left to do.
    pub(super) fn return_if(self, condition: &str) -> Self {
        self.run(format!("IF {condition} THEN RETURN; END IF"))
    }

    pub(super) fn fail_if(self, condition: &str, failure: &Failure) -> Self {
        self.run(format!("IF {condition} THEN\n    {};\n  END IF", failure.raise()))
    }

    pub(super) fn finish(self) -> String {
        let declare = if self.declarations.is_empty() { "" } else { "DECLARE\n" };
        let text = format!("\n{declare}{}BEGIN\n{}END\n", self.declarations, self.body);
        let tag = dollar_tag(&text);
        format!("DO {tag}{text}{tag};")
    }
}

/// A dollar quote that does not occur in the text.
fn dollar_tag(text: &str) -> String {
    (0..)
        .map(|n| if n == 0 { "$migration$".to_owned() } else { format!("$migration{n}$") })
        .find(|tag| !text.contains(tag.as_str()))
        .expect("a text is finite")
}

/// An error that the script raises.
pub(super) struct Failure {
    message: String,
    /// An SQL expression.
    detail: Option<String>,
    hint: String,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure { message: message.into(), detail: None, hint: hint.into() }
    }

    /// DETAIL from an SQL expression, such as a variable of the block.
    pub(super) fn detail(mut self, expression: &str) -> Self {
        self.detail = Some(expression.to_owned());
        self
    }

    fn raise(&self) -> String {
        let detail = self.detail.as_ref().map(|d| format!(", DETAIL = {d}")).unwrap_or_default();
        format!(
            "RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = {}{detail}, HINT = {}",
            quote_literal(&self.message),
            quote_literal(&self.hint)
        )
    }
}

/// A comment that stays one: text on a single line, whatever the names in it contain.
pub(super) fn comment(text: &str) -> String {
    format!("-- {}", one_line(text))
}

/// Control characters (a newline would end a comment) become spaces.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollar_quotes_do_not_occur_in_what_they_quote() {
        let block = Block::new().run("DROP TABLE \"$migration$ $migration1$\"").finish();
        assert!(block.starts_with("DO $migration2$\n"), "{block}");
        assert!(block.ends_with("\n$migration2$;"), "{block}");
        assert_eq!(block.matches("$migration2$").count(), 2);
    }

    #[test]
    fn comments_cannot_be_left() {
        assert_eq!(comment("a\nDROP TABLE x;\r\n"), "-- a DROP TABLE x;  ");
    }
}
