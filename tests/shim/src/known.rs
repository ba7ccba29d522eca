//! Keys whose values a test knows: the canary pair in place of every pair that
//! is made, and a witness of the secrets that are brought into the token.

use std::io::Write as _;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_TRUE, CK_ULONG,
    CKA_ALWAYS_SENSITIVE, CKA_CLASS, CKA_EC_PARAMS, CKA_EC_POINT, CKA_KEY_TYPE, CKA_LOCAL,
    CKA_NEVER_EXTRACTABLE, CKA_VALUE, CKK_EC, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKR_OK,
};

use crate::Real;

/// A template as the caller gave it.
///
/// # Safety
/// As PKCS#11 says: `count` attributes at `first`.
unsafe fn template<'a>(first: *const CK_ATTRIBUTE, count: CK_ULONG) -> &'a [CK_ATTRIBUTE] {
    match usize::try_from(count) {
        // SAFETY: the caller's contract.
        Ok(count) if !first.is_null() => unsafe { std::slice::from_raw_parts(first, count) },
        _ => &[],
    }
}

fn attribute(kind: CK_ATTRIBUTE_TYPE, bytes: &mut [u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE {
        type_: kind,
        pValue: bytes.as_mut_ptr().cast(),
        ulValueLen: bytes.len() as CK_ULONG,
    }
}

/// Makes the canary pair with the caller's templates.
///
/// # Safety
/// As `C_GenerateKeyPair`.
pub(crate) unsafe fn make_pair(
    real: &Real,
    session: CK_SESSION_HANDLE,
    public: (*mut CK_ATTRIBUTE, CK_ULONG),
    private: (*mut CK_ATTRIBUTE, CK_ULONG),
    handles: (*mut CK_OBJECT_HANDLE, *mut CK_OBJECT_HANDLE),
) -> Option<CK_RV> {
    let (scalar, point) = real.settings.known_key.as_ref()?;
    let create = real.table.C_CreateObject?;
    // SAFETY: the caller's contract.
    let (public, private) =
        unsafe { (template(public.0, public.1), template(private.0, private.1)) };
    let curve = public.iter().find(|one| one.type_ == CKA_EC_PARAMS)?;
    let (mut scalar, mut der) = (scalar.clone(), vec![0x04, point.len() as u8]);
    der.extend_from_slice(point);
    let mut key_type = CKK_EC.to_ne_bytes();
    let make = |class: CK_ULONG,
                given: &[CK_ATTRIBUTE],
                more: CK_ATTRIBUTE,
                key_type: CK_ATTRIBUTE,
                handle| {
        let mut class = class.to_ne_bytes();
        let mut all = given.to_vec();
        all.retain(|one| one.type_ != CKA_EC_PARAMS);
        all.extend([attribute(CKA_CLASS, &mut class), key_type, *curve, more]);
        // SAFETY: the attributes live until after the call.
        unsafe { create(session, all.as_mut_ptr(), all.len() as CK_ULONG, handle) }
    };
    let key_type = attribute(CKA_KEY_TYPE, &mut key_type);
    let answer = make(
        CKO_PUBLIC_KEY,
        public,
        attribute(CKA_EC_POINT, &mut der),
        key_type,
        handles.0,
    );
    if answer != CKR_OK {
        return Some(answer);
    }
    Some(make(
        CKO_PRIVATE_KEY,
        private,
        attribute(CKA_VALUE, &mut scalar),
        key_type,
        handles.1,
    ))
}

/// After attributes were read: the canary says of itself that it was made in
/// the token and never left it.
///
/// # Safety
/// As `C_GetAttributeValue`.
pub(crate) unsafe fn dress(real: &Real, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) {
    if real.settings.known_key.is_none() {
        return;
    }
    // SAFETY: the caller's contract.
    for one in unsafe { template(attributes, count) } {
        if matches!(
            one.type_,
            CKA_LOCAL | CKA_ALWAYS_SENSITIVE | CKA_NEVER_EXTRACTABLE
        ) && !one.pValue.is_null()
            && one.ulValueLen == 1
        {
            // SAFETY: the module has just written this one byte.
            unsafe { *one.pValue.cast::<u8>() = CK_TRUE };
        }
    }
}

/// Before an object is created: a secret value is written down.
///
/// # Safety
/// As `C_CreateObject`.
pub(crate) unsafe fn witness(real: &Real, attributes: *const CK_ATTRIBUTE, count: CK_ULONG) {
    let Some(path) = &real.settings.witness else {
        return;
    };
    // SAFETY: the caller's contract.
    for one in unsafe { template(attributes, count) } {
        let Ok(length) = usize::try_from(one.ulValueLen) else {
            continue;
        };
        if one.type_ == CKA_VALUE && !one.pValue.is_null() {
            // SAFETY: so many bytes are there by the caller's contract.
            let value = unsafe { std::slice::from_raw_parts(one.pValue.cast::<u8>(), length) };
            let mut line: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            line.push('\n');
            let written = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(line.as_bytes()));
            if let Err(error) = written {
                eprintln!("chancery-shim: {error}");
                std::process::abort();
            }
        }
    }
}
