//! Foreign keys whose sides are plain tables, partitioned tables or inheritance trees.
//!
//! | question | module |
//! |---|---|
//! | What do a constraint's triggers say? | `binding`, `terms` |
//! | Does a referencing row have a referenced one? | `check`, `presence`; of many rows: `batch` |
//! | What becomes of referencing rows when theirs goes? | `action` |
//! | What does TRUNCATE of a referenced table do? | `truncation` |
//! | What do the errors say? | `violation` |
//! | What does `add_global_foreign_key` refuse, and what does it do? | `definition` |
//! | What happens at ATTACH, INHERIT, DETACH, DROP, RENAME? | `lifecycle` |
//! | What is wrong with a foreign key, and who mends it? | `health` |
//! | Which rows are in the way? | `orphans` |
//! | Where are foreign keys read from the catalogs? | `inventory` |

mod action;
pub mod batch;
pub mod binding;
mod check;
pub mod definition;
pub mod health;
pub mod inventory;
pub mod lifecycle;
pub mod orphans;
mod presence;
mod terms;
pub mod triggers;
mod truncation;
mod violation;
