//! The names of what a layout pays for. Every number in a report is a sum of these.

use serde::{Serialize, Serializer};

/// A term of the price, see `docs/design.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// What stays on one node.
    LocalLoad,
    /// Less than half of what can be distributed is.
    Shortfall,
    /// A copy on every node: disk and writes.
    Copies,
    /// A table of its own kind to know and to write with two-phase commit.
    ReferenceTable,
    /// A table that stays on the coordinator.
    LocalTable,
    /// A colocation group.
    Group,
    ForeignKeyLost,
    ForeignKeyWidened,
    /// A foreign key between a local and a reference table.
    ForeignKeyManaged,
    KeyLost,
    KeyWidened,
    /// A trigger, or a policy.
    TriggerLost,
    /// A distribution column that may be NULL.
    NullableColumn,
    /// A distribution column of a type that spreads badly.
    PoorType,
    /// A distribution column with few distinct values.
    FewValues,
    /// A distribution column with one value very common.
    CommonValue,
    /// A distribution column whose values were written one after the other.
    InOrder,
    /// A distribution column that only its name relates to others.
    Inferred,
    /// A distribution column that no other table shares, where sizes are guessed.
    Alone,
    /// A distribution column that no index begins with.
    Unindexed,
    /// A distribution column whose name is not that of a usual tenant.
    Name,
    /// Tables that only names relate, apart.
    RelationApart,
    /// A table whose rows belong to a tenant, placed otherwise.
    TenantApart,
    /// Statements of the workload that join across nodes.
    JoinAcross,
    /// Statements of the workload that every node must answer.
    FanOut,
    /// A table written once more, to where it goes.
    Move,
    /// A column that has to be added and filled first.
    Backfill,
    /// What Citus refuses.
    Refused,
}

impl Term {
    /// All, in the order of the report.
    pub const ALL: [Term; 28] = [
        Term::Refused,
        Term::Shortfall,
        Term::LocalLoad,
        Term::Copies,
        Term::ReferenceTable,
        Term::LocalTable,
        Term::Group,
        Term::ForeignKeyLost,
        Term::ForeignKeyWidened,
        Term::ForeignKeyManaged,
        Term::KeyLost,
        Term::KeyWidened,
        Term::TriggerLost,
        Term::JoinAcross,
        Term::FanOut,
        Term::RelationApart,
        Term::TenantApart,
        Term::CommonValue,
        Term::FewValues,
        Term::InOrder,
        Term::PoorType,
        Term::NullableColumn,
        Term::Alone,
        Term::Inferred,
        Term::Unindexed,
        Term::Name,
        Term::Move,
        Term::Backfill,
    ];

    /// As reports and `docs/design.md` call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Term::LocalLoad => "load on one node",
            Term::Shortfall => "load not distributed",
            Term::Copies => "copies of reference tables",
            Term::ReferenceTable => "reference tables",
            Term::LocalTable => "tables left on the coordinator",
            Term::Group => "colocation groups",
            Term::ForeignKeyLost => "foreign keys lost",
            Term::ForeignKeyWidened => "foreign keys widened",
            Term::ForeignKeyManaged => "foreign keys to local tables",
            Term::KeyLost => "keys lost",
            Term::KeyWidened => "keys widened",
            Term::TriggerLost => "triggers and policies lost",
            Term::NullableColumn => "nullable distribution columns",
            Term::PoorType => "types that spread badly",
            Term::FewValues => "few distinct values",
            Term::CommonValue => "common values",
            Term::InOrder => "values written in order",
            Term::Inferred => "columns related by name only",
            Term::Alone => "columns that no table shares",
            Term::Unindexed => "columns that no index begins with",
            Term::Name => "names",
            Term::RelationApart => "related tables apart",
            Term::TenantApart => "rows of tenants apart",
            Term::JoinAcross => "joins across nodes",
            Term::FanOut => "statements sent to every node",
            Term::Move => "moving the rows",
            Term::Backfill => "filling new columns",
            Term::Refused => "refused by Citus",
        }
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
