//! Every `unsafe` of the extension, behind small safe functions and types. Nothing here knows about distribution
//! or about constraints.

pub mod btree;
pub mod column;
pub mod constraint_error;
pub mod conversion;
pub mod ddl_event;
pub mod encoding;
mod entry_points;
pub mod guc;
pub mod hash;
pub mod identity;
pub mod index_shape;
pub mod inheritance;
pub mod invalidation;
pub mod key;
pub mod lock;
pub mod operator_class;
pub mod own_rows;
pub mod prepared;
pub mod query;
pub mod raise;
pub mod relation;
pub mod row_trigger;
pub mod rows;
pub mod savepoint;
pub mod scratch;
pub mod sequence;
pub mod settings;
mod startup;
pub mod statement;
pub mod tables;
pub mod transaction;
pub mod typed_rows;
pub mod values;
