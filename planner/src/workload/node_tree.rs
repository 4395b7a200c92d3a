//! The text form of PostgreSQL's parse trees (`nodeToString`, `pg_rewrite.ev_action`): structs of named fields, lists, words.
//! Field names change less between releases than structs do.

/// Nesting beyond this is not read: the reader calls itself.
const MOST_DEPTH: usize = 1_000;

/// A part of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A word, escapes undone. `<>` stands for nothing.
    Word(String),
    List(Vec<Node>),
    Struct(Struct),
}

/// `{TAG :field value ...}`
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    pub tag: String,
    fields: Vec<(String, Node)>,
}

static NOTHING: Node = Node::Word(String::new());

impl Node {
    /// Reads a tree; `None` for what is none, or nested too deeply.
    pub fn parse(text: &str) -> Option<Node> {
        let mut reader = Reader { rest: text };
        let node = reader.node(0)?;
        reader.rest.trim().is_empty().then_some(node)
    }

    pub fn as_struct(&self) -> Option<&Struct> {
        match self {
            Node::Struct(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of a list; nothing has none.
    pub fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// The structs of a list.
    pub fn structs(&self) -> impl Iterator<Item = &Struct> {
        self.items().iter().filter_map(Node::as_struct)
    }

    pub fn word(&self) -> &str {
        match self {
            Node::Word(word) => word,
            _ => "",
        }
    }

    pub fn number(&self) -> i64 {
        self.word().parse().unwrap_or(0)
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Node::Word(word) if word.is_empty())
    }
}

impl Struct {
    /// A field; nothing where the struct has none of that name.
    pub fn field(&self, name: &str) -> &Node {
        self.fields.iter().find(|f| f.0 == name).map_or(&NOTHING, |f| &f.1)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.field(name).word() == "true"
    }

    pub fn number(&self, name: &str) -> i64 {
        self.field(name).number()
    }

    /// The values of all fields.
    pub fn values(&self) -> impl Iterator<Item = &Node> {
        self.fields.iter().map(|f| &f.1)
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t']);
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn node(&mut self, depth: usize) -> Option<Node> {
        if depth > MOST_DEPTH {
            return None;
        }
        match self.peek()? {
            '{' => {
                self.skip();
                self.peek()?;
                let tag = self.word()?;
                let mut fields = Vec::new();
                loop {
                    match self.peek()? {
                        '}' => {
                            self.skip();
                            return Some(Node::Struct(Struct { tag, fields }));
                        }
                        ':' => {
                            self.skip();
                            let name = self.word()?;
                            let value = self.node(depth + 1)?;
                            fields.push((name, value));
                            // A datum: its length, then its bytes.
                            while !matches!(self.peek()?, ':' | '}') {
                                self.node(depth + 1)?;
                            }
                        }
                        _ => return None,
                    }
                }
            }
            '(' => {
                self.skip();
                let mut items = Vec::new();
                loop {
                    if self.peek()? == ')' {
                        self.skip();
                        return Some(Node::List(items));
                    }
                    items.push(self.node(depth + 1)?);
                }
            }
            '}' | ')' => None,
            _ => self.word().map(|word| Node::Word(if word == "<>" { String::new() } else { word })),
        }
    }

    /// Up to the next space or bracket; a backslash takes the next character as it is.
    fn word(&mut self) -> Option<String> {
        let mut word = String::new();
        let mut chars = self.rest.chars();
        let quoted = self.rest.starts_with('"');
        if quoted {
            chars.next();
        }
        loop {
            let before = chars.as_str();
            match chars.next() {
                Some('\\') => word.push(chars.next()?),
                Some('"') if quoted => {
                    self.rest = chars.as_str();
                    return Some(word);
                }
                Some(' ' | '\n' | '\t' | '(' | ')' | '{' | '}') | None if !quoted => {
                    self.rest = before;
                    return (before.len() < self.rest.len() + 1).then_some(word);
                }
                Some(c) => word.push(c),
                None => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_postgresql_writes() {
        let node = Node::parse(
            r#"({A :x <> :y true :z (i 1 -2) :s ("a b" "c\"d") :n *SELECT*\ 1 :constvalue 4 [ 5 0 0 0 ] :w {B}})"#,
        )
        .unwrap();
        let a = node.structs().next().unwrap();
        assert_eq!((a.tag.as_str(), a.flag("y"), a.field("x").is_nothing()), ("A", true, true));
        assert_eq!(a.field("z").items()[2].number(), -2);
        assert_eq!(a.field("s").items()[1].word(), "c\"d");
        assert_eq!(a.field("n").word(), "*SELECT* 1");
        assert_eq!(a.number("constvalue"), 4);
        assert_eq!(a.field("w").as_struct().unwrap().tag, "B");
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for text in ["", "{", "(", "{A :x", "{A x}", "(}", "\"a", "()}"] {
            assert_eq!(Node::parse(text), None, "{text}");
        }
        assert_eq!(Node::parse(&("(".repeat(100_000) + &")".repeat(100_000))), None);
    }
}
