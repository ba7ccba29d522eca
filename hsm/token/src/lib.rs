//! The embedded default token: Kryoptic behind the three functions through
//! which a PKCS#11 module is found. Everything else is Kryoptic's.
//!
//! Kryoptic is a library; a loadable module needs C symbols, and Cargo does
//! not build a dependency's own `cdylib`. These three only pass their
//! arguments on: the pointers are checked for null by Kryoptic, and their
//! validity is the caller's side of the PKCS#11 contract. No `unsafe` block is
//! needed; the one unsafe act is to claim the three names for the linker,
//! which is sound because nothing else in this module defines them.
#![deny(missing_docs)]

use kryoptic_lib::fns::general::{fn_get_function_list, fn_get_interface, fn_get_interface_list};
use kryoptic_lib::pkcs11::{
    CK_FLAGS, CK_FUNCTION_LIST_PTR_PTR, CK_INTERFACE_PTR, CK_INTERFACE_PTR_PTR, CK_RV,
    CK_ULONG_PTR, CK_UTF8CHAR_PTR, CK_VERSION_PTR,
};

/// The table of functions of PKCS#11 2.40 (section 5.4).
#[allow(non_snake_case, reason = "the name is fixed by PKCS#11")]
#[unsafe(no_mangle)]
pub extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    fn_get_function_list(list)
}

/// The list of all tables (PKCS#11 3.0, section 5.4).
#[allow(non_snake_case, reason = "the name is fixed by PKCS#11")]
#[unsafe(no_mangle)]
pub extern "C" fn C_GetInterfaceList(list: CK_INTERFACE_PTR, count: CK_ULONG_PTR) -> CK_RV {
    fn_get_interface_list(list, count)
}

/// One table by name and version (PKCS#11 3.0, section 5.4).
#[allow(non_snake_case, reason = "the name is fixed by PKCS#11")]
#[unsafe(no_mangle)]
pub extern "C" fn C_GetInterface(
    name: CK_UTF8CHAR_PTR,
    version: CK_VERSION_PTR,
    interface: CK_INTERFACE_PTR_PTR,
    flags: CK_FLAGS,
) -> CK_RV {
    fn_get_interface(name, version, interface, flags)
}
