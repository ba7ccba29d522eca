//! A PKCS#11 module for tests. It forwards every call to a real module and, on
//! command, fails as devices fail: delays, errors, lost sessions, a lost login,
//! a token that was pulled out, calls that never return, a crash, wrong
//! answers. It can also hide mechanisms, so that one token plays a poorer one.
//!
//! What it does stands in `shim.conf` (see [`settings`]), in the folder of the
//! real module's own configuration (`KRYOPTIC_CONF`, `SOFTHSM2_CONF`) or where
//! `CHANCERY_SHIM_CONF` says; which faults there are stands in `shim.faults`
//! beside it (see [`faults`]), read again at every call.
//!
//! Safety: every function here has the C signature that PKCS#11 gives it and
//! passes its arguments on as they are. Pointers are touched only where a fault
//! changes an answer, and there only within the lengths that the real module
//! has just written.
#![deny(missing_docs)]
#![allow(
    non_snake_case,
    clippy::missing_safety_doc,
    reason = "the names and contracts are fixed by PKCS#11"
)]

mod faults;
mod forward;
mod known;
mod settings;

use std::sync::OnceLock;

use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR, CK_FUNCTION_LIST_PTR_PTR, CK_RV, CKR_ARGUMENTS_BAD,
    CKR_GENERAL_ERROR, CKR_OK,
};
use libloading::{Library, Symbol};

use crate::settings::Settings;

/// The real module, loaded for life.
pub(crate) struct Real {
    pub(crate) table: &'static CK_FUNCTION_LIST,
    pub(crate) settings: Settings,
    _library: Library,
}

static REAL: OnceLock<Option<Real>> = OnceLock::new();

/// The real module; none if it cannot be loaded.
pub(crate) fn real() -> Option<&'static Real> {
    REAL.get_or_init(load).as_ref()
}

fn load() -> Option<Real> {
    let settings = match Settings::find() {
        Ok(settings) => settings,
        Err(why) => {
            eprintln!("chancery-shim: {why}");
            return None;
        }
    };
    // SAFETY: a PKCS#11 module's initialisers are its own affair; it is the
    // module under test, which the process would load anyway.
    let library = unsafe { Library::new(&settings.module) }
        .map_err(|error| eprintln!("chancery-shim: {error}"))
        .ok()?;
    let mut table: CK_FUNCTION_LIST_PTR = std::ptr::null_mut();
    // SAFETY: the symbol has this signature in every PKCS#11 module, and the
    // table it gives lives as long as the library, which is never unloaded.
    let table = unsafe {
        let get: Symbol<'_, unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV> =
            library.get(b"C_GetFunctionList\0").ok()?;
        if get(&raw mut table) != CKR_OK {
            return None;
        }
        table.as_ref()?
    };
    Some(Real {
        table,
        settings,
        _library: library,
    })
}

/// The one symbol by which the module is found (PKCS#11 2.40 section 5.4).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    if real().is_none() {
        return CKR_GENERAL_ERROR;
    }
    // SAFETY: not null; the caller owns the place (contract of the function).
    unsafe { *list = (&raw const forward::TABLE).cast_mut() };
    CKR_OK
}
