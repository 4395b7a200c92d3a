//! Statements through PostgreSQL's own parser and parse analysis. Nothing is planned and nothing is run: the only functions
//! that are called are the input functions of the constants' types.

use std::ffi::{CStr, CString, c_int};
use std::panic::AssertUnwindSafe;
use std::ptr;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::pg_sys::{self, Oid};
use pgrx::{PgSqlErrorCode, PgTryBuilder};

use super::encoding::{from_server, to_server};
use crate::error::{Result, internal};

/// What became of a statement.
pub enum Analysed {
    /// A query's parse tree, as `nodeToString` writes it.
    Query(String),
    /// Another statement, by its command tag.
    Utility(String),
}

/// Why a statement could not be analysed.
pub struct Failure {
    pub code: PgSqlErrorCode,
    pub message: String,
}

unsafe extern "C-unwind" {
    // parser/parse_param.h; the same in PostgreSQL 15 to 18.
    fn setup_parse_variable_parameters(pstate: *mut pg_sys::ParseState, types: *mut *mut Oid, count: *mut c_int);
}

/// Analyses a statement along a search path, in a subtransaction that is taken back: its locks are gone afterwards. It waits
/// for locks no longer than `patience`, in milliseconds.
///
/// # Errors
/// Only what ends the caller's statement too: Ctrl-C, a timeout, a lack of memory.
pub fn analyse(text: &str, search_path: &str, patience: u32) -> Result<std::result::Result<Analysed, Failure>> {
    let text = CString::new(to_server(text)).map_err(internal)?;
    let path = CString::new(to_server(search_path)).map_err(internal)?;
    let patience = CString::new(patience.to_string()).map_err(internal)?;
    // SAFETY: the caller's memory context and resource owner are put back when the subtransaction is over; the context of the
    // analysis is deleted after all that was read from it is copied. Settings made local end with the subtransaction.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        let workspace = pg_sys::AllocSetContextCreateInternal(
            context,
            c"statement of citus_advisor".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::MemoryContextSwitchTo(workspace);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
            for (name, value) in [
                (c"search_path", path.as_c_str()),
                (c"lock_timeout", &patience),
                (c"standard_conforming_strings", c"on"),
                (c"transform_null_equals", c"off"),
            ] {
                pg_sys::set_config_option(
                    name.as_ptr(),
                    value.as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_LOCAL,
                    true,
                    0,
                    false,
                );
            }
            Ok(parse(&text))
        }))
        .catch_others(|caught| match caught {
            CaughtError::PostgresError(error) | CaughtError::ErrorReport(error)
                if !ends_everything(error.sql_error_code()) =>
            {
                Err(Failure { code: error.sql_error_code(), message: error.message().to_owned() })
            }
            caught => caught.rethrow(),
        })
        .execute();
        pg_sys::RollbackAndReleaseCurrentSubTransaction();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        pg_sys::MemoryContextDelete(workspace);
        Ok(outcome)
    }
}

/// # Safety
/// In a memory context of its own, in a subtransaction that is taken back.
unsafe fn parse(text: &CStr) -> Analysed {
    // SAFETY: the text is terminated; trees live in the current context. A list of RawStmt comes out, and one of Query goes on.
    unsafe {
        let statements = pg_sys::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
        let count = if statements.is_null() { 0 } else { (*statements).length };
        if count != 1 {
            return Analysed::Utility(format!("{count} statements at once"));
        }
        let raw = (*(*statements).elements).ptr_value.cast::<pg_sys::RawStmt>();
        let query = transform(raw, text);
        if (*query).commandType != pg_sys::CmdType::CMD_UTILITY {
            return tree(query.cast());
        }
        let statement = (*query).utilityStmt;
        // The query inside is analysed with them; that of PREPARE only when it is run.
        let inside = match (*statement).type_ {
            pg_sys::NodeTag::T_ExplainStmt => (*statement.cast::<pg_sys::ExplainStmt>()).query,
            pg_sys::NodeTag::T_DeclareCursorStmt => (*statement.cast::<pg_sys::DeclareCursorStmt>()).query,
            pg_sys::NodeTag::T_PrepareStmt => prepared((*statement.cast::<pg_sys::PrepareStmt>()).query, text),
            pg_sys::NodeTag::T_CopyStmt => prepared((*statement.cast::<pg_sys::CopyStmt>()).query, text),
            _ => ptr::null_mut(),
        };
        if !inside.is_null()
            && (*inside).type_ == pg_sys::NodeTag::T_Query
            && (*inside.cast::<pg_sys::Query>()).commandType != pg_sys::CmdType::CMD_UTILITY
        {
            return tree(inside);
        }
        let tag = pg_sys::GetCommandTagName(pg_sys::CreateCommandTag(statement));
        Analysed::Utility(from_server(CStr::from_ptr(tag).to_bytes()))
    }
}

/// # Safety
/// As for `parse`; `raw` is NULL or a raw statement of the text.
unsafe fn prepared(raw: *mut pg_sys::Node, text: &CStr) -> *mut pg_sys::Node {
    if raw.is_null() {
        return ptr::null_mut();
    }
    let mut statement = pg_sys::RawStmt { type_: pg_sys::NodeTag::T_RawStmt, stmt: raw, ..Default::default() };
    // SAFETY: as above; the statement outlives the call.
    unsafe { transform(&mut statement, text).cast() }
}

/// Parse analysis with parameters of any type, without the hooks of other extensions: nobody is to count this statement.
///
/// # Safety
/// As for `parse`; `raw` is a raw statement of the text.
unsafe fn transform(raw: *mut pg_sys::RawStmt, text: &CStr) -> *mut pg_sys::Query {
    // SAFETY: the parse state and the array of types live until the state is freed, which also closes the target's relation.
    unsafe {
        let (mut types, mut count): (*mut Oid, c_int) = (ptr::null_mut(), 0);
        let state = pg_sys::make_parsestate(ptr::null_mut());
        (*state).p_sourcetext = text.as_ptr();
        pg_sys::ffi::pg_guard_ffi_boundary(|| setup_parse_variable_parameters(state, &mut types, &mut count));
        let query = pg_sys::transformTopLevelStmt(state, raw);
        pg_sys::free_parsestate(state);
        query
    }
}

/// # Safety
/// `query` is a tree in the current context.
unsafe fn tree(query: *mut pg_sys::Node) -> Analysed {
    // SAFETY: the text is palloc'd and terminated.
    unsafe { Analysed::Query(from_server(CStr::from_ptr(pg_sys::nodeToString(query.cast())).to_bytes())) }
}

fn ends_everything(code: PgSqlErrorCode) -> bool {
    matches!(
        code,
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED
            | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
            | PgSqlErrorCode::ERRCODE_DATA_CORRUPTED
            | PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED
    )
}

/// What the client said when it sent the TRUNCATE that is being executed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TruncateSaid {
    pub cascade: bool,
    pub restart_identity: bool,
    /// The tables that it named, and whether with all below.
    pub named: Vec<(Oid, bool)>,
}

/// The words of the TRUNCATE that fired the calling trigger; `None` where it came from within a function or a trigger: then
/// nobody can tell.
pub fn truncate_said() -> Option<TruncateSaid> {
    // SAFETY: the portal that is being executed, if any, has a list of planned statements; one without a plan has its own
    // tree, whose list is of names of tables that are locked by now. The function takes no arguments and reads a variable
    // of the backend.
    unsafe {
        let depth = pgrx::direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]);
        let portal = pg_sys::ActivePortal;
        if depth != Some(1) || portal.is_null() || (*portal).stmts.is_null() || (*(*portal).stmts).length != 1 {
            return None;
        }
        let planned = (*(*(*portal).stmts).elements).ptr_value.cast::<pg_sys::PlannedStmt>();
        let statement = (*planned).utilityStmt;
        if statement.is_null() || (*statement).type_ != pg_sys::NodeTag::T_TruncateStmt {
            return None;
        }
        let statement = &*statement.cast::<pg_sys::TruncateStmt>();
        let count = if statement.relations.is_null() { 0 } else { (*statement.relations).length as usize };
        let named = (0..count).map(|at| {
            let name = (*(*statement.relations).elements.add(at)).ptr_value.cast::<pg_sys::RangeVar>();
            let missing = pg_sys::RVROption::RVR_MISSING_OK;
            let table = pg_sys::RangeVarGetRelidExtended(name, 0, missing, None, ptr::null_mut());
            (table, (*name).inh)
        });
        Some(TruncateSaid {
            cascade: statement.behavior == pg_sys::DropBehavior::DROP_CASCADE,
            restart_identity: statement.restart_seqs,
            named: named.collect(),
        })
    }
}
