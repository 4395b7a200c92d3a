//! Constraints across all tables of a tree. `docs/enforcement.md` has the algorithm and its proof.
//!
//! | question | module |
//! |---|---|
//! | What happens for each row? | `triggers`, then `batch` or straight `unique` |
//! | Is this key there twice? | `unique` |
//! | Is this key there at all, and who references it? | `foreign_key` |
//! | Which members need no visit? | `claims` |
//! | Which locks has a constraint? | `key_lock` |
//! | Which tables does a row's check visit? | `members` |
//! | What does the error say? | `violation` |
//! | What does `add_global_unique` refuse, and what does it do? | `definition` |
//! | How does a table become a member: trigger, index? | `membership` |
//! | Which rows are in the way? | `duplicates`, `violations` |
//! | What happens at ATTACH, INHERIT, DETACH, DROP, RENAME? | `lifecycle`, the event triggers |
//! | What is wrong with a constraint, and who mends it? | `health` |
//! | Where are constraints and members read from the catalogs? | `inventory` |
//! | Which index of a member serves? | `serving_index` |

mod batch;
mod claims;
mod definition;
mod duplicates;
pub mod foreign_key;
pub mod health;
mod inventory;
mod key_lock;
pub mod lifecycle;
mod members;
mod membership;
mod serving_index;
pub mod triggers;
mod unique;
mod violation;
mod violations;
