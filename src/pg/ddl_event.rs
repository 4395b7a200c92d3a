//! What an event trigger is told.

use std::ffi::{CStr, c_char};

use pgrx::pg_sys;
use pgrx::pg_sys::{AlterTableType as Action, Oid};

use super::encoding::from_server_lossy;
use super::{inheritance, tables};

/// What a statement does that concerns a tree of tables.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// A table came into being, or a schema with tables.
    Created,
    /// A table was attached or made to inherit.
    Joined,
    /// The event's table no longer inherits from this one.
    Left(Oid),
    /// This partition was detached; it may keep what PostgreSQL did not make for it. `late`: others could work on the tables
    /// since the detaching began.
    Detached { partition: Oid, late: bool },
    /// Triggers were enabled; of this name, or all.
    Enabled(Option<String>),
    /// Triggers were disabled, or enabled for replicas only.
    Disabled(Option<String>),
}

/// Whether a statement makes a trigger.
pub fn makes_trigger(call: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: as in `effects`.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return false;
        }
        let statement = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        !statement.is_null() && (*statement).type_ == pg_sys::NodeTag::T_CreateTrigStmt
    }
}

/// Whether a statement's own words tell that it concerns no tree with triggers: a table that is made without parents, or
/// altered without having triggers or parents.
pub fn concerns_no_tree(call: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: as in `effects`.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return false;
        }
        let statement = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        if statement.is_null() {
            return false;
        }
        match (*statement).type_ {
            pg_sys::NodeTag::T_CreateStmt => (*statement.cast::<pg_sys::CreateStmt>()).inhRelations.is_null(),
            pg_sys::NodeTag::T_AlterTableStmt => {
                let table = named((*statement.cast::<pg_sys::AlterTableStmt>()).relation);
                table != Oid::INVALID && !tables::has_triggers(table) && inheritance::parents(table).is_empty()
            }
            _ => false,
        }
    }
}

/// Whether a statement says that what depends on its objects is to go with them.
pub fn is_cascade(call: pg_sys::FunctionCallInfo) -> bool {
    const CASCADE: pg_sys::DropBehavior::Type = pg_sys::DropBehavior::DROP_CASCADE;
    // SAFETY: as in `effects`; actions of ALTER TABLE are what the list has.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return false;
        }
        let statement = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        if statement.is_null() {
            return true;
        }
        match (*statement).type_ {
            pg_sys::NodeTag::T_DropStmt => (*statement.cast::<pg_sys::DropStmt>()).behavior == CASCADE,
            pg_sys::NodeTag::T_DropOwnedStmt => (*statement.cast::<pg_sys::DropOwnedStmt>()).behavior == CASCADE,
            pg_sys::NodeTag::T_AlterTableStmt => {
                let actions = (*statement.cast::<pg_sys::AlterTableStmt>()).cmds;
                let count = if actions.is_null() { 0 } else { (*actions).length };
                (0..count).any(|at| {
                    let action = (*(*actions).elements.add(at as usize)).ptr_value.cast::<pg_sys::AlterTableCmd>();
                    (*action).behavior == CASCADE
                })
            }
            _ => true,
        }
    }
}

/// What a statement is about to do, if we have to be there first.
#[derive(Debug, PartialEq)]
pub enum Intent {
    DetachConcurrently { parent: Oid, partition: Oid },
    Attach { parent: Oid, partition: Oid },
}

/// What a statement that has not begun is going to do to partitions; `None` where the call is not of an event trigger.
/// Neither table is locked yet.
pub fn intents(call: pg_sys::FunctionCallInfo) -> Option<Vec<Intent>> {
    // SAFETY: as in `effects`.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return None;
        }
        let statement = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        if statement.is_null() || (*statement).type_ != pg_sys::NodeTag::T_AlterTableStmt {
            return Some(Vec::new());
        }
        let statement = &*statement.cast::<pg_sys::AlterTableStmt>();
        let mut intents = Vec::new();
        for at in 0..if statement.cmds.is_null() { 0 } else { (*statement.cmds).length } {
            let action = &*(*(*statement.cmds).elements.add(at as usize)).ptr_value.cast::<pg_sys::AlterTableCmd>();
            if !matches!(action.subtype, Action::AT_AttachPartition | Action::AT_DetachPartition) {
                continue;
            }
            let command = &*action.def.cast::<pg_sys::PartitionCmd>();
            let (parent, partition) = (named(statement.relation), named(command.name));
            if action.subtype == Action::AT_AttachPartition {
                intents.push(Intent::Attach { parent, partition });
            } else if command.concurrent {
                intents.push(Intent::DetachConcurrently { parent, partition });
            }
        }
        Some(intents)
    }
}

/// What a statement does; `None` where the call is not of an event trigger.
pub fn effects(call: pg_sys::FunctionCallInfo) -> Option<Vec<Effect>> {
    // SAFETY: the call's context is NULL or a node; of that kind, it is the event's data. A statement's tree lives as long
    // as the statement; names in it are NULL or C strings.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return None;
        }
        let statement = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        if statement.is_null() {
            return Some(Vec::new());
        }
        if (*statement).type_ != pg_sys::NodeTag::T_AlterTableStmt {
            let creates = matches!(
                (*statement).type_,
                pg_sys::NodeTag::T_CreateStmt
                    | pg_sys::NodeTag::T_CreateForeignTableStmt
                    | pg_sys::NodeTag::T_CreateSchemaStmt
                    | pg_sys::NodeTag::T_ImportForeignSchemaStmt
            );
            return Some(if creates { vec![Effect::Created] } else { Vec::new() });
        }
        let actions = (*statement.cast::<pg_sys::AlterTableStmt>()).cmds;
        let mut effects = Vec::new();
        for at in 0..if actions.is_null() { 0 } else { (*actions).length } {
            let action = (*(*actions).elements.add(at as usize)).ptr_value.cast::<pg_sys::AlterTableCmd>();
            effects.extend(effect(&*action));
        }
        Some(effects)
    }
}

/// # Safety
/// `action` is part of the tree of a running statement.
unsafe fn effect(action: &pg_sys::AlterTableCmd) -> Option<Effect> {
    Some(match action.subtype {
        Action::AT_AddInherit | Action::AT_AttachPartition => Effect::Joined,
        // SAFETY: the definition of this action is the parent's name.
        Action::AT_DropInherit => Effect::Left(unsafe { named(action.def.cast()) }),
        Action::AT_DetachPartition | Action::AT_DetachPartitionFinalize => {
            // SAFETY: the definition of these actions is about a partition and has its name.
            let command = unsafe { &*action.def.cast::<pg_sys::PartitionCmd>() };
            Effect::Detached {
                // SAFETY: as above.
                partition: unsafe { named(command.name) },
                late: command.concurrent || action.subtype == Action::AT_DetachPartitionFinalize,
            }
        }
        // SAFETY: names of an action are NULL or C strings.
        Action::AT_EnableTrig | Action::AT_EnableAlwaysTrig => Effect::Enabled(Some(unsafe { text(action.name) })),
        Action::AT_EnableTrigAll | Action::AT_EnableTrigUser => Effect::Enabled(None),
        Action::AT_DisableTrig | Action::AT_EnableReplicaTrig => {
            // SAFETY: as above.
            Effect::Disabled(Some(unsafe { text(action.name) }))
        }
        Action::AT_DisableTrigAll | Action::AT_DisableTrigUser => Effect::Disabled(None),
        _ => return None,
    })
}

/// # Safety
/// `name` is NULL or a C string.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: as promised.
    if name.is_null() { String::new() } else { from_server_lossy(unsafe { CStr::from_ptr(name) }.to_bytes()) }
}

/// # Safety
/// `range` is the name of a table in a statement's tree.
unsafe fn named(range: *const pg_sys::RangeVar) -> Oid {
    // SAFETY: as promised; a missing table is not an error.
    unsafe {
        pg_sys::RangeVarGetRelidExtended(
            range,
            pg_sys::NoLock as i32,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        )
    }
}
