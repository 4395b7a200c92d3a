//! Every `unsafe` of the extension, behind small safe functions and types. Nothing here knows about distribution.

pub mod constraint_error;
pub mod ddl_event;
pub mod encoding;
pub mod guc;
pub mod identity;
pub mod index_shape;
pub mod lock;
pub mod operator_class;
pub mod query;
pub mod relation;
pub mod sequence;
pub mod settings;
mod startup;
pub mod tables;
pub mod values;
