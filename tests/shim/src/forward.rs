//! All functions of PKCS#11 2.40, each passed on to the real module, with the
//! faults that are asked for.

use std::os::raw::c_void;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_FALSE, CK_FLAGS, CK_FUNCTION_LIST, CK_INFO, CK_MECHANISM,
    CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_NOTIFY, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE,
    CK_SESSION_INFO, CK_SLOT_ID, CK_SLOT_INFO, CK_TOKEN_INFO, CK_ULONG, CK_USER_TYPE, CK_VERSION,
    CKR_FUNCTION_NOT_SUPPORTED, CKR_GENERAL_ERROR, CKR_MECHANISM_INVALID, CKR_OK,
};

use crate::faults::{Fault, before, is_absent};
use crate::{known, real};

type Session = CK_SESSION_HANDLE;
type Object = CK_OBJECT_HANDLE;
type Slot = CK_SLOT_ID;
type Length = CK_ULONG;
type Bytes = *mut CK_BYTE;
type Place = *mut CK_ULONG;
type Mechanism = *mut CK_MECHANISM;
type Template = *mut CK_ATTRIBUTE;

/// Passes a function on. `uses M`: its mechanism may be hidden; `spoils B, L`:
/// its answer of L bytes at B may be made wrong.
macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*)
        $(uses $mechanism:ident)? $(spoils $bytes:ident, $length:ident)?;)*) => {$(
        pub(crate) unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            let Some(real) = real() else { return CKR_GENERAL_ERROR };
            let name = stringify!($name);
            if real.settings.unsupported.contains(name) {
                return CKR_FUNCTION_NOT_SUPPORTED;
            }
            $(
                // SAFETY: null, or a mechanism by the caller's contract.
                if unsafe { $mechanism.as_ref() }
                    .is_some_and(|one| real.settings.hidden.contains(&one.mechanism))
                {
                    return CKR_MECHANISM_INVALID;
                }
            )?
            let fault = before(real, name);
            if let Fault::Answer(answer) = fault {
                return answer;
            }
            let Some(function) = real.table.$name else { return CKR_FUNCTION_NOT_SUPPORTED };
            // SAFETY: the caller's arguments, as they are.
            let answer = unsafe { function($($arg),*) };
            $(
                if fault == Fault::Corrupt && answer == CKR_OK {
                    // SAFETY: the module has just written so many bytes.
                    unsafe { spoil($bytes, $length) };
                }
            )?
            answer
        }
    )*};
}

/// Passes a function on that asks nothing of the token.
macro_rules! always {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            match real().and_then(|real| real.table.$name) {
                // SAFETY: the caller's arguments, as they are.
                Some(function) => unsafe { function($($arg),*) },
                None => CKR_FUNCTION_NOT_SUPPORTED,
            }
        }
    )*};
}

/// # Safety
/// `bytes` is null or has as many bytes as `length` says.
unsafe fn spoil(bytes: Bytes, length: Place) {
    // SAFETY: as above.
    unsafe {
        if !bytes.is_null() && length.as_ref().is_some_and(|length| *length > 0) {
            *bytes ^= 1;
        }
    }
}

always! {
    C_Initialize(a: *mut c_void);
    C_Finalize(a: *mut c_void);
    C_GetInfo(a: *mut CK_INFO);
    C_GetSlotInfo(a: Slot, b: *mut CK_SLOT_INFO);
    C_CloseSession(a: Session);
    C_CloseAllSessions(a: Slot);
    C_GetFunctionStatus(a: Session);
    C_CancelFunction(a: Session);
    C_WaitForSlotEvent(a: CK_FLAGS, b: *mut Slot, c: *mut c_void);
}

forward! {
    C_GetTokenInfo(a: Slot, b: *mut CK_TOKEN_INFO);
    C_InitToken(a: Slot, b: Bytes, c: Length, d: Bytes);
    C_InitPIN(a: Session, b: Bytes, c: Length);
    C_SetPIN(a: Session, b: Bytes, c: Length, d: Bytes, e: Length);
    C_OpenSession(a: Slot, b: CK_FLAGS, c: *mut c_void, d: CK_NOTIFY, e: *mut CK_SESSION_HANDLE);
    C_GetSessionInfo(a: Session, b: *mut CK_SESSION_INFO);
    C_GetOperationState(a: Session, b: Bytes, c: Place);
    C_SetOperationState(a: Session, b: Bytes, c: Length, d: Object, e: Object);
    C_Login(a: Session, b: CK_USER_TYPE, c: Bytes, d: Length);
    C_Logout(a: Session);
    C_CopyObject(a: Session, b: Object, c: Template, d: Length, e: *mut Object);
    C_DestroyObject(a: Session, b: Object);
    C_GetObjectSize(a: Session, b: Object, c: Place);
    C_SetAttributeValue(a: Session, b: Object, c: Template, d: Length);
    C_FindObjectsInit(a: Session, b: Template, c: Length);
    C_FindObjects(a: Session, b: *mut Object, c: Length, d: Place);
    C_FindObjectsFinal(a: Session);
    C_EncryptInit(a: Session, b: Mechanism, c: Object) uses b;
    C_Encrypt(a: Session, b: Bytes, c: Length, d: Bytes, e: Place) spoils d, e;
    C_EncryptUpdate(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_EncryptFinal(a: Session, b: Bytes, c: Place);
    C_DecryptInit(a: Session, b: Mechanism, c: Object) uses b;
    C_Decrypt(a: Session, b: Bytes, c: Length, d: Bytes, e: Place) spoils d, e;
    C_DecryptUpdate(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_DecryptFinal(a: Session, b: Bytes, c: Place);
    C_DigestInit(a: Session, b: Mechanism) uses b;
    C_Digest(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_DigestUpdate(a: Session, b: Bytes, c: Length);
    C_DigestKey(a: Session, b: Object);
    C_DigestFinal(a: Session, b: Bytes, c: Place);
    C_SignInit(a: Session, b: Mechanism, c: Object) uses b;
    C_Sign(a: Session, b: Bytes, c: Length, d: Bytes, e: Place) spoils d, e;
    C_SignUpdate(a: Session, b: Bytes, c: Length);
    C_SignFinal(a: Session, b: Bytes, c: Place);
    C_SignRecoverInit(a: Session, b: Mechanism, c: Object) uses b;
    C_SignRecover(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_VerifyInit(a: Session, b: Mechanism, c: Object) uses b;
    C_Verify(a: Session, b: Bytes, c: Length, d: Bytes, e: Length);
    C_VerifyUpdate(a: Session, b: Bytes, c: Length);
    C_VerifyFinal(a: Session, b: Bytes, c: Length);
    C_VerifyRecoverInit(a: Session, b: Mechanism, c: Object) uses b;
    C_VerifyRecover(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_DigestEncryptUpdate(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_DecryptDigestUpdate(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_SignEncryptUpdate(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_DecryptVerifyUpdate(a: Session, b: Bytes, c: Length, d: Bytes, e: Place);
    C_GenerateKey(a: Session, b: Mechanism, c: Template, d: Length, e: *mut Object) uses b;
    C_WrapKey(a: Session, b: Mechanism, c: Object, d: Object, e: Bytes, f: Place) uses b spoils e, f;
    C_UnwrapKey(a: Session, b: Mechanism, c: Object, d: Bytes, e: Length, f: Template, g: Length, h: *mut Object) uses b;
    C_DeriveKey(a: Session, b: Mechanism, c: Object, d: Template, e: Length, f: *mut Object) uses b;
    C_SeedRandom(a: Session, b: Bytes, c: Length);
}

unsafe extern "C" fn C_GetSlotList(present: CK_BBOOL, list: *mut Slot, count: Place) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    if let Fault::Answer(answer) = before(real, "C_GetSlotList")
        && !is_absent(real)
    {
        return answer;
    }
    if present != CK_FALSE && is_absent(real) {
        // SAFETY: the caller's own place.
        if let Some(count) = unsafe { count.as_mut() } {
            *count = 0;
        }
        return CKR_OK;
    }
    let Some(function) = real.table.C_GetSlotList else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the caller's arguments, as they are.
    unsafe { function(present, list, count) }
}

unsafe extern "C" fn C_GetMechanismList(
    slot: Slot,
    list: *mut CK_MECHANISM_TYPE,
    count: Place,
) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    if let Fault::Answer(answer) = before(real, "C_GetMechanismList") {
        return answer;
    }
    let Some(function) = real.table.C_GetMechanismList else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the caller's arguments, as they are.
    let answer = unsafe { function(slot, list, count) };
    if answer == CKR_OK && !list.is_null() {
        // SAFETY: the module has just written so many numbers there.
        unsafe {
            let all = std::slice::from_raw_parts_mut(list, usize::try_from(*count).unwrap_or(0));
            let kept: Vec<_> = all
                .iter()
                .copied()
                .filter(|one| !real.settings.hidden.contains(one))
                .collect();
            if let Some(start) = all.get_mut(..kept.len()) {
                start.copy_from_slice(&kept);
            }
            *count = kept.len() as CK_ULONG;
        }
    }
    answer
}

unsafe extern "C" fn C_GetMechanismInfo(
    slot: Slot,
    mechanism: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    if real.settings.hidden.contains(&mechanism) {
        return CKR_MECHANISM_INVALID;
    }
    if let Fault::Answer(answer) = before(real, "C_GetMechanismInfo") {
        return answer;
    }
    let Some(function) = real.table.C_GetMechanismInfo else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the caller's arguments, as they are.
    unsafe { function(slot, mechanism, info) }
}

unsafe extern "C" fn C_CreateObject(
    session: Session,
    template: Template,
    count: Length,
    handle: *mut Object,
) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    if let Fault::Answer(answer) = before(real, "C_CreateObject") {
        return answer;
    }
    let Some(function) = real.table.C_CreateObject else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the caller's arguments, as they are.
    unsafe {
        known::witness(real, template, count);
        function(session, template, count, handle)
    }
}

unsafe extern "C" fn C_GetAttributeValue(
    session: Session,
    object: Object,
    template: Template,
    count: Length,
) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    if let Fault::Answer(answer) = before(real, "C_GetAttributeValue") {
        return answer;
    }
    let Some(function) = real.table.C_GetAttributeValue else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the caller's arguments, as they are.
    unsafe {
        let answer = function(session, object, template, count);
        known::dress(real, template, count);
        answer
    }
}

#[allow(clippy::too_many_arguments, reason = "as PKCS#11 has it")]
unsafe extern "C" fn C_GenerateKeyPair(
    session: Session,
    mechanism: Mechanism,
    public: Template,
    public_count: Length,
    private: Template,
    private_count: Length,
    public_handle: *mut Object,
    private_handle: *mut Object,
) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    // SAFETY: null, or a mechanism by the caller's contract.
    let kind = unsafe { mechanism.as_ref() }.map(|one| one.mechanism);
    if kind.is_some_and(|kind| real.settings.hidden.contains(&kind)) {
        return CKR_MECHANISM_INVALID;
    }
    if let Fault::Answer(answer) = before(real, "C_GenerateKeyPair") {
        return answer;
    }
    // SAFETY: the caller's arguments, as they are.
    unsafe {
        let handles = (public_handle, private_handle);
        let (public, private) = ((public, public_count), (private, private_count));
        if let Some(answer) = known::make_pair(real, session, public, private, handles) {
            return answer;
        }
        match real.table.C_GenerateKeyPair {
            Some(function) => function(
                session, mechanism, public.0, public.1, private.0, private.1, handles.0, handles.1,
            ),
            None => CKR_FUNCTION_NOT_SUPPORTED,
        }
    }
}

unsafe extern "C" fn C_GenerateRandom(session: Session, bytes: Bytes, length: Length) -> CK_RV {
    let Some(real) = real() else {
        return CKR_GENERAL_ERROR;
    };
    let fault = before(real, "C_GenerateRandom");
    if let Fault::Answer(answer) = fault {
        return answer;
    }
    let Some(function) = real.table.C_GenerateRandom else {
        return CKR_FUNCTION_NOT_SUPPORTED;
    };
    // SAFETY: the caller's arguments, as they are; a generator that stands
    // still writes as many bytes as were asked for.
    unsafe {
        let answer = function(session, bytes, length);
        if fault == Fault::Corrupt && answer == CKR_OK {
            std::ptr::write_bytes(bytes, 0x5a, usize::try_from(length).unwrap_or(0));
        }
        answer
    }
}

/// The table that the caller gets.
pub(crate) static TABLE: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
    version: CK_VERSION {
        major: 2,
        minor: 40,
    },
    C_Initialize: Some(C_Initialize),
    C_Finalize: Some(C_Finalize),
    C_GetInfo: Some(C_GetInfo),
    C_GetFunctionList: Some(crate::C_GetFunctionList),
    C_GetSlotList: Some(C_GetSlotList),
    C_GetSlotInfo: Some(C_GetSlotInfo),
    C_GetTokenInfo: Some(C_GetTokenInfo),
    C_GetMechanismList: Some(C_GetMechanismList),
    C_GetMechanismInfo: Some(C_GetMechanismInfo),
    C_InitToken: Some(C_InitToken),
    C_InitPIN: Some(C_InitPIN),
    C_SetPIN: Some(C_SetPIN),
    C_OpenSession: Some(C_OpenSession),
    C_CloseSession: Some(C_CloseSession),
    C_CloseAllSessions: Some(C_CloseAllSessions),
    C_GetSessionInfo: Some(C_GetSessionInfo),
    C_GetOperationState: Some(C_GetOperationState),
    C_SetOperationState: Some(C_SetOperationState),
    C_Login: Some(C_Login),
    C_Logout: Some(C_Logout),
    C_CreateObject: Some(C_CreateObject),
    C_CopyObject: Some(C_CopyObject),
    C_DestroyObject: Some(C_DestroyObject),
    C_GetObjectSize: Some(C_GetObjectSize),
    C_GetAttributeValue: Some(C_GetAttributeValue),
    C_SetAttributeValue: Some(C_SetAttributeValue),
    C_FindObjectsInit: Some(C_FindObjectsInit),
    C_FindObjects: Some(C_FindObjects),
    C_FindObjectsFinal: Some(C_FindObjectsFinal),
    C_EncryptInit: Some(C_EncryptInit),
    C_Encrypt: Some(C_Encrypt),
    C_EncryptUpdate: Some(C_EncryptUpdate),
    C_EncryptFinal: Some(C_EncryptFinal),
    C_DecryptInit: Some(C_DecryptInit),
    C_Decrypt: Some(C_Decrypt),
    C_DecryptUpdate: Some(C_DecryptUpdate),
    C_DecryptFinal: Some(C_DecryptFinal),
    C_DigestInit: Some(C_DigestInit),
    C_Digest: Some(C_Digest),
    C_DigestUpdate: Some(C_DigestUpdate),
    C_DigestKey: Some(C_DigestKey),
    C_DigestFinal: Some(C_DigestFinal),
    C_SignInit: Some(C_SignInit),
    C_Sign: Some(C_Sign),
    C_SignUpdate: Some(C_SignUpdate),
    C_SignFinal: Some(C_SignFinal),
    C_SignRecoverInit: Some(C_SignRecoverInit),
    C_SignRecover: Some(C_SignRecover),
    C_VerifyInit: Some(C_VerifyInit),
    C_Verify: Some(C_Verify),
    C_VerifyUpdate: Some(C_VerifyUpdate),
    C_VerifyFinal: Some(C_VerifyFinal),
    C_VerifyRecoverInit: Some(C_VerifyRecoverInit),
    C_VerifyRecover: Some(C_VerifyRecover),
    C_DigestEncryptUpdate: Some(C_DigestEncryptUpdate),
    C_DecryptDigestUpdate: Some(C_DecryptDigestUpdate),
    C_SignEncryptUpdate: Some(C_SignEncryptUpdate),
    C_DecryptVerifyUpdate: Some(C_DecryptVerifyUpdate),
    C_GenerateKey: Some(C_GenerateKey),
    C_GenerateKeyPair: Some(C_GenerateKeyPair),
    C_WrapKey: Some(C_WrapKey),
    C_UnwrapKey: Some(C_UnwrapKey),
    C_DeriveKey: Some(C_DeriveKey),
    C_SeedRandom: Some(C_SeedRandom),
    C_GenerateRandom: Some(C_GenerateRandom),
    C_GetFunctionStatus: Some(C_GetFunctionStatus),
    C_CancelFunction: Some(C_CancelFunction),
    C_WaitForSlotEvent: Some(C_WaitForSlotEvent),
};
