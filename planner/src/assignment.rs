//! The JSON form in which users say which role a table has:
//! `{"public.t": {"role": "distributed", "column": "tenant_id", "group": "tenant"}, "public.r": {"role": "reference"}}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Distributed,
    Reference,
    Local,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Distributed => "distributed",
            Role::Reference => "reference",
            Role::Local => "local",
        }
    }
}

/// What is said of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub role: Role,
    /// Raw name of the distribution column; only with, and always with, role distributed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Same label, same colocation group; only with role distributed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Roles by table, the keys as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assignment(pub BTreeMap<String, Entry>);

const FORM: &str =
    r#"Write {"public.t": {"role": "distributed", "column": "tenant_id"}, "public.r": {"role": "reference"}}."#;

impl Assignment {
    /// Reads the JSON form. `argument` names the SQL argument in messages: `overrides` or `assignment`.
    pub fn from_json(value: &Value, argument: &str) -> Result<Self, Error> {
        let Value::Object(tables) = value else {
            return Err(Error::new(ErrorKind::InvalidParameter, format!("{argument} must be a JSON object"))
                .detail(format!("It is {}.", kind_of(value)))
                .hint(FORM));
        };
        let entries = tables.iter().map(|(table, entry)| Ok((table.clone(), entry_from(table, entry, argument)?)));
        Ok(Assignment(entries.collect::<Result<_, Error>>()?))
    }
}

fn entry_from(table: &str, value: &Value, argument: &str) -> Result<Entry, Error> {
    let refuse = |what: String| Error::new(ErrorKind::InvalidParameter, what).hint(FORM);
    let Value::Object(fields) = value else {
        return Err(refuse(format!(
            "the entry for \"{table}\" in {argument} must be a JSON object, not {}",
            kind_of(value)
        )));
    };
    if let Some(unknown) = fields.keys().find(|k| !["role", "column", "group"].contains(&k.as_str())) {
        return Err(refuse(format!("unrecognized key \"{unknown}\" for \"{table}\" in {argument}"))
            .hint("The keys are role, column and group."));
    }
    let text = |key: &str| match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.clone())),
        Some(other) => {
            Err(refuse(format!("{key} of \"{table}\" in {argument} must be a string, not {}", kind_of(other))))
        }
    };
    let (column, group) = (text("column")?, text("group")?);
    let role = match text("role")?.as_deref() {
        Some("distributed") => Role::Distributed,
        Some("reference") => Role::Reference,
        Some("local") => Role::Local,
        Some(other) => {
            return Err(refuse(format!("unrecognized role \"{other}\" for \"{table}\" in {argument}"))
                .hint("The roles are distributed, reference and local."));
        }
        None => {
            return Err(refuse(format!("no role for \"{table}\" in {argument}"))
                .hint("Add \"role\": \"distributed\", \"reference\" or \"local\"."));
        }
    };
    if group.as_deref() == Some("") {
        return Err(refuse(format!("group of \"{table}\" in {argument} must not be empty"))
            .hint("Leave \"group\" out, and the planner colocates by what joins."));
    }
    match role {
        Role::Distributed if column.is_none() => {
            Err(refuse(format!("no distribution column for \"{table}\" in {argument}"))
                .hint("Role distributed needs \"column\", the raw name of the distribution column."))
        }
        Role::Reference | Role::Local if column.is_some() || group.is_some() => {
            let extra = if column.is_some() { "column" } else { "group" };
            Err(refuse(format!("role {} of \"{table}\" in {argument} takes no {extra}", role.as_str()))
                .hint("column and group go with role distributed."))
        }
        _ => Ok(Entry { role, column, group }),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(value: Value) -> String {
        Assignment::from_json(&value, "overrides").unwrap_err().message
    }

    #[test]
    fn reads_roles_columns_and_groups() {
        let a = Assignment::from_json(
            &json!({"t": {"role": "distributed", "column": "c", "group": "g"}, "r": {"role": "reference"}}),
            "overrides",
        )
        .unwrap();
        assert_eq!(a.0["t"].column.as_deref(), Some("c"));
        assert_eq!(a.0["r"].role, Role::Reference);
    }

    #[test]
    fn names_the_culprit() {
        assert_eq!(refusal(json!([])), "overrides must be a JSON object");
        assert_eq!(refusal(json!({"t": 1})), "the entry for \"t\" in overrides must be a JSON object, not a number");
        assert_eq!(refusal(json!({"t": {"role": "boss"}})), "unrecognized role \"boss\" for \"t\" in overrides");
        assert_eq!(refusal(json!({"t": {}})), "no role for \"t\" in overrides");
        assert_eq!(refusal(json!({"t": {"role": "distributed"}})), "no distribution column for \"t\" in overrides");
        assert_eq!(
            refusal(json!({"t": {"role": "reference", "column": "c"}})),
            "role reference of \"t\" in overrides takes no column"
        );
        assert_eq!(refusal(json!({"t": {"rolle": "local"}})), "unrecognized key \"rolle\" for \"t\" in overrides");
    }
}
