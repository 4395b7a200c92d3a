//! `name=value` arguments. An unknown name is an error that lists the known ones.

use crate::Outcome;

pub struct Options {
    values: Vec<(String, String)>,
}

impl Options {
    /// `known`: name, default, what it means.
    pub fn parse(
        arguments: impl Iterator<Item = String>,
        usage: &str,
        known: &[(&str, &str, &str)],
    ) -> Outcome<Options> {
        let mut values: Vec<(String, String)> =
            known.iter().map(|(name, default, _)| (name.to_string(), default.to_string())).collect();
        for argument in arguments {
            let given = argument.split_once('=').and_then(|(name, value)| {
                values.iter_mut().find(|(known, _)| known == name).map(|slot| (slot, value.to_string()))
            });
            let Some((slot, value)) = given else {
                let mut help = format!("usage: {usage}\n");
                for (name, default, meaning) in known {
                    help.push_str(&format!("  {:<32} {meaning}\n", format!("{name}={default}")));
                }
                return Err(format!("{help}(not understood: {argument})").into());
            };
            slot.1 = value;
        }
        Ok(Options { values })
    }

    pub fn text(&self, name: &str) -> &str {
        &self.values.iter().find(|(known, _)| known == name).expect("an option that the program declared").1
    }

    pub fn number(&self, name: &str) -> Outcome<u64> {
        let text = self.text(name);
        text.replace('_', "").parse().map_err(|_| format!("{name}={text}: not a number").into())
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        self.text(name).split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_string).collect()
    }

    pub fn is_set(&self, name: &str) -> bool {
        matches!(self.text(name), "yes" | "on" | "true" | "1")
    }
}
