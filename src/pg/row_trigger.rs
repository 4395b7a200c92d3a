//! A call of a row trigger, as the trigger manager makes it; and a place in its queue.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo, NodeTag, Oid};

use super::lock::{Mode, lock_relation};
use super::rows::{attribute, is_own};

/// One call of a trigger. What it points to lives as long as the call.
#[derive(Clone, Copy)]
pub struct Call {
    data: *mut pg_sys::TriggerData,
    function: *mut pg_sys::FmgrInfo,
}

/// What a trigger was fired by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Insert,
    Update,
    Delete,
    Truncate,
}

/// A row of the call.
#[derive(Clone, Copy)]
pub struct Row(*mut pg_sys::TupleTableSlot);

impl Row {
    /// A column's value; `None` if it is NULL. Points into the row.
    pub fn column(self, number: i16) -> Option<Datum> {
        // SAFETY: the slot holds a row of the trigger's table during the call, and the callers' numbers are of it.
        unsafe { attribute(self.0, number) }
    }

    /// Whether the running transaction has written this version of the row.
    pub fn is_own(self) -> bool {
        is_own(self.0)
    }
}

impl Call {
    /// `None` where the function was not called as an AFTER ROW trigger for INSERT, UPDATE or DELETE, or as an AFTER
    /// STATEMENT trigger for TRUNCATE.
    ///
    /// # Safety
    /// `fcinfo` is what PostgreSQL called a function with, and is used during that call only.
    pub unsafe fn of(fcinfo: FunctionCallInfo) -> Option<Self> {
        // SAFETY: by the caller's promise; the node's tag says what the context is.
        unsafe {
            let data = (*fcinfo).context.cast::<pg_sys::TriggerData>();
            if data.is_null() || (*data).type_ != NodeTag::T_TriggerData {
                return None;
            }
            let event = (*data).tg_event;
            let kind = event & pg_sys::TRIGGER_EVENT_OPMASK;
            let is_after = event & pg_sys::TRIGGER_EVENT_TIMINGMASK == 0;
            let is_for_row = event & pg_sys::TRIGGER_EVENT_ROW != 0;
            let handled = is_after && is_for_row == (kind != pg_sys::TRIGGER_EVENT_TRUNCATE);
            handled.then_some(Call { data, function: (*fcinfo).flinfo })
        }
    }

    pub fn event(&self) -> Event {
        // SAFETY: set for the length of the call.
        match unsafe { (*self.data).tg_event } & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Event::Insert,
            pg_sys::TRIGGER_EVENT_UPDATE => Event::Update,
            pg_sys::TRIGGER_EVENT_DELETE => Event::Delete,
            _ => Event::Truncate,
        }
    }

    /// Whether a row was written, not taken away.
    pub fn writes(&self) -> bool {
        matches!(self.event(), Event::Insert | Event::Update)
    }

    fn trigger(&self) -> &pg_sys::Trigger {
        // SAFETY: set for the length of the call.
        unsafe { &*(*self.data).tg_trigger }
    }

    pub fn relation(&self) -> Oid {
        // SAFETY: as above.
        unsafe { (*(*self.data).tg_relation).rd_id }
    }

    pub fn trigger_id(&self) -> Oid {
        self.trigger().tgoid
    }

    pub fn trigger_function(&self) -> Oid {
        self.trigger().tgfoid
    }

    pub fn is_deferrable(&self) -> bool {
        self.trigger().tgdeferrable
    }

    pub fn trigger_name(&self) -> &CStr {
        // SAFETY: a terminated string of the relation cache.
        unsafe { CStr::from_ptr(self.trigger().tgname) }
    }

    /// The only argument; `None` if there is none or more than one.
    pub fn argument(&self) -> Option<&[u8]> {
        let trigger = self.trigger();
        // SAFETY: tgargs has tgnargs terminated strings.
        (trigger.tgnargs == 1).then(|| unsafe { CStr::from_ptr(*trigger.tgargs) }.to_bytes())
    }

    /// All arguments.
    pub fn arguments(&self) -> Vec<&[u8]> {
        let trigger = self.trigger();
        let count = usize::try_from(trigger.tgnargs).unwrap_or_default();
        // SAFETY: tgargs has tgnargs terminated strings.
        (0..count).map(|at| unsafe { CStr::from_ptr(*trigger.tgargs.add(at)) }.to_bytes()).collect()
    }

    /// The table that the trigger names by FROM.
    pub fn other_relation(&self) -> Oid {
        self.trigger().tgconstrrelid
    }

    /// The trigger's row in `pg_constraint`.
    pub fn constraint(&self) -> Oid {
        self.trigger().tgconstraint
    }

    /// The columns that the trigger's WHEN names, in its order; `None` where it has none.
    pub fn condition_columns(&self) -> Option<Vec<i16>> {
        let condition = self.trigger().tgqual;
        // SAFETY: the trigger's own condition, as PostgreSQL wrote it.
        (!condition.is_null()).then(|| unsafe { columns_of(condition) })
    }

    /// Whether the row as it is now has not been replaced or deleted meanwhile, by this very transaction.
    pub fn is_alive(&self) -> bool {
        // SAFETY: the slot has a row of the trigger's table, in a buffer.
        unsafe {
            let Row(slot) = self.new_row();
            let relation = (*self.data).tg_relation;
            pg_sys::table_tuple_satisfies_snapshot(relation, slot, &raw mut pg_sys::SnapshotSelfData)
        }
    }

    /// Whether the row was not really deleted, but moved to another partition by an UPDATE: such a row's old version says
    /// so (`HeapTupleHeaderSetMovedPartitions`).
    pub fn is_move(&self) -> bool {
        const MOVED_BLOCK: u16 = 0xFFFF;
        const MOVED_OFFSET: u16 = 0xFFFD;
        if self.event() != Event::Delete {
            return false;
        }
        // SAFETY: the old version of a deleted row, whose header is that of the page.
        unsafe {
            let at = (*(*(*self.data).tg_trigtuple).t_data).t_ctid;
            at.ip_posid == MOVED_OFFSET && at.ip_blkid.bi_hi == MOVED_BLOCK && at.ip_blkid.bi_lo == MOVED_BLOCK
        }
    }

    /// The row as it is now, where one was written.
    pub fn new_row(&self) -> Row {
        // SAFETY: the slots are set for row triggers.
        unsafe { Row(if self.event() == Event::Update { (*self.data).tg_newslot } else { (*self.data).tg_trigslot }) }
    }

    /// The command that wrote the row as it is now, counted within the transaction: the same for all rows of a statement.
    pub fn written_by_command(&self) -> u32 {
        let slot = self.new_row().0;
        let mut is_null = false;
        // SAFETY: the slot holds a row of a table; every row has a command.
        unsafe { pg_sys::slot_getsysattr(slot, pg_sys::MinCommandIdAttributeNumber, &mut is_null).value() as u32 }
    }

    /// The row as it was, for UPDATE and DELETE.
    pub fn old_row(&self) -> Option<Row> {
        // SAFETY: as above.
        (self.event() != Event::Insert).then(|| unsafe { Row((*self.data).tg_trigslot) })
    }

    /// The memory that goes with the query which fires the trigger: an identity of the query, as long as it runs.
    pub fn query(&self) -> usize {
        // SAFETY: the function's information is there during the call.
        unsafe { (*self.function).fn_mcxt as usize }
    }

    /// Whether the trigger is fired by the end of an INSERT, UPDATE, MERGE or COPY, and not by SET CONSTRAINTS.
    ///
    /// The former fire from the query's own memory context; COPY has none, and is told by what it reports of its progress
    /// and by the portal's context, in which no statement that a function runs beside it fires its triggers.
    pub fn is_at_end_of_query(&self) -> bool {
        // SAFETY: the function's information and its context are there during the call, names of contexts are terminated;
        // MyBEEntry is set while connected.
        unsafe {
            let context = (*self.function).fn_mcxt;
            let entry = pg_sys::MyBEEntry;
            CStr::from_ptr((*context).name) == c"ExecutorState"
                || CStr::from_ptr((*context).name) == c"PortalContext"
                    && !entry.is_null()
                    && (*entry).st_progress_command == pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY
        }
    }

    /// What [`Self::remember`] left for this table's trigger in this query; 0 at its first call.
    pub fn remembered(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.function).fn_extra as usize }
    }

    /// Leaves a number for this query's next call of this table's trigger.
    pub fn remember(&self, number: usize) {
        // SAFETY: as above; fn_extra is the function's own, and never followed here.
        unsafe { (*self.function).fn_extra = number as *mut std::ffi::c_void };
    }
}

/// Whether a statement of a client is running, and not just the end of a transaction.
pub fn is_portal_running() -> bool {
    // SAFETY: a variable of this backend.
    unsafe { !pg_sys::ActivePortal.is_null() }
}

/// The columns that a trigger's condition names, in its order.
///
/// # Safety
/// `condition` is a trigger's, as the catalog has it.
pub unsafe fn columns_of(condition: *const std::ffi::c_char) -> Vec<i16> {
    let mut columns = Vec::new();
    // SAFETY: by the caller's promise.
    unsafe { collect_columns(pg_sys::stringToNode(condition.cast_mut()).cast(), &mut columns) };
    columns
}

/// Collects the columns of NEW, or OLD, in the order of the expression: `a IS NOT NULL [AND …]`.
unsafe fn collect_columns(node: *mut pg_sys::Node, columns: &mut Vec<i16>) {
    if node.is_null() {
        return;
    }
    // SAFETY: nodes are what their tags say.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Var => columns.push((*node.cast::<pg_sys::Var>()).varattno),
            NodeTag::T_NullTest => collect_columns((*node.cast::<pg_sys::NullTest>()).arg.cast(), columns),
            NodeTag::T_BoolExpr => collect_list((*node.cast::<pg_sys::BoolExpr>()).args, columns),
            NodeTag::T_List => collect_list(node.cast(), columns),
            NodeTag::T_RelabelType => collect_columns((*node.cast::<pg_sys::RelabelType>()).arg.cast(), columns),
            _ => {}
        }
    }
}

unsafe fn collect_list(list: *mut pg_sys::List, columns: &mut Vec<i16>) {
    if list.is_null() {
        return;
    }
    // SAFETY: a list of nodes.
    unsafe {
        for place in 0..(*list).length {
            collect_columns((*(*list).elements.add(place as usize)).ptr_value.cast(), columns);
        }
    }
}

/// Queues the statement trigger of `table` behind everything that the current query has queued so far, so that it is
/// called when all of that has been: whoever runs the query (an INSERT, a COPY, the apply worker) and whether or not
/// this library was there when it began. `false` where no query is running: at a commit, or in SET CONSTRAINTS.
///
/// PostgreSQL drops an earlier such event of the query for the later one.
pub fn queue_statement_trigger(table: Oid) -> bool {
    lock_relation(table, Mode::AccessShare);
    // SAFETY: the table is locked; closed below.
    let relation = unsafe { pg_sys::RelationIdGetRelation(table) };
    if relation.is_null() {
        return false;
    }
    let queued = pgrx::PgTryBuilder::new(std::panic::AssertUnwindSafe(|| {
        // SAFETY: PostgreSQL copies what it needs (the OIDs of table and trigger) from the result relation, of which it
        // reads only the fields set here, since the trigger has no WHEN and no transition table.
        unsafe {
            let mut result = pg_sys::ResultRelInfo {
                type_: NodeTag::T_ResultRelInfo,
                ri_RelationDesc: relation,
                ri_TrigDesc: (*relation).trigdesc,
                ..Default::default()
            };
            pg_sys::ExecASInsertTriggers(std::ptr::null_mut(), &mut result, std::ptr::null_mut());
        }
        true
    }))
    .catch_when(pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, |_| false)
    .execute();
    // SAFETY: opened above.
    unsafe { pg_sys::RelationClose(relation) };
    queued
}
