//! Every `unsafe` of the extension, behind small safe functions and types. Nothing here knows about distribution.

pub mod encoding;
pub mod guc;
pub mod operator_class;
pub mod relation;
pub mod sequence;
pub mod settings;
mod startup;
pub mod values;
