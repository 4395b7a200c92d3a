//! Constraints across all tables of a tree.
//!
//! | question | module |
//! |---|---|
//! | What does `add_global_unique` refuse, and what does it do? | `definition` |
//! | How does a table become a member: trigger, index? | `membership` |
//! | Which rows are in the way? | `duplicates`, `violations` |
//! | What happens at ATTACH, INHERIT, DETACH, DROP, RENAME? | `lifecycle`, the event triggers |
//! | What is wrong with a constraint, and who mends it? | `health` |
//! | Where are constraints and members read from the catalogs? | `inventory` |
//! | Which index of a member serves? | `serving_index` |
//! | Which locks has a constraint? | `key_lock` |
//! | What happens for each row? | `triggers` |

mod definition;
mod duplicates;
pub mod health;
mod inventory;
mod key_lock;
pub mod lifecycle;
mod membership;
mod serving_index;
pub mod triggers;
mod violations;
