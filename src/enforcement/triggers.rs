//! The trigger function of a global unique constraint.

use pgrx::prelude::*;

/// Placeholder: checks nothing yet.
#[pg_extern(sql = r#"
CREATE FUNCTION advisor.check_global_unique() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
fn check_global_unique(_call: pg_sys::FunctionCallInfo) {}
