//! What an error of the token means. One table for all tokens; what it leaves
//! open is settled by asking the token something whose answer is known.

use chancery_hsm_api::{KeyError, KeyErrorKind};
use cryptoki::error::{Error, RvError};

/// Why an operation stopped.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The module answered an error.
    Module(Error),
    /// We found something wrong ourselves.
    Key(KeyError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Module(error)
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

/// What to do about an error of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The session is gone: take another, ask again.
    Session,
    /// Nobody is logged in: log in, ask again.
    Login,
    /// A handle is stale: look the key up again, ask again.
    Handle,
    /// The session is in the middle of something: take another, ask again.
    Muddled,
    /// The caller's bytes are wrong.
    Data,
    /// The key may not do that.
    Denied,
    /// The token cannot do that.
    Unsupported,
    /// The token has no room for now.
    Busy,
    /// The token is gone or broken.
    Device,
    /// Some tokens say this of wrong bytes, others of a broken device.
    Unclear,
    /// The configuration is wrong.
    Config,
}

impl Class {
    /// True for what is looked for again before it is told.
    pub(crate) const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::Session | Self::Login | Self::Handle | Self::Muddled | Self::Device
        )
    }
}

pub(crate) const fn class(error: &Error) -> Class {
    use RvError as Rv;
    let Error::Pkcs11(code, _) = error else {
        // Not an answer of the token: a missing function, a value out of range.
        return match error {
            Error::NotSupported | Error::NullFunctionPointer | Error::MissingSymbol(_) => {
                Class::Unsupported
            }
            Error::LibraryLoading(_) | Error::PinNotSet => Class::Config,
            _ => Class::Unclear,
        };
    };
    match code {
        Rv::SessionHandleInvalid | Rv::SessionClosed => Class::Session,
        Rv::UserNotLoggedIn => Class::Login,
        Rv::KeyHandleInvalid
        | Rv::ObjectHandleInvalid
        | Rv::WrappingKeyHandleInvalid
        | Rv::UnwrappingKeyHandleInvalid => Class::Handle,
        Rv::OperationActive | Rv::OperationNotInitialized => Class::Muddled,
        Rv::WrappedKeyInvalid
        | Rv::WrappedKeyLenRange
        | Rv::EncryptedDataInvalid
        | Rv::EncryptedDataLenRange
        | Rv::DataInvalid
        | Rv::DataLenRange
        | Rv::PublicKeyInvalid => Class::Data,
        Rv::KeyFunctionNotPermitted
        | Rv::KeyUnextractable
        | Rv::KeyNotWrappable
        | Rv::ActionProhibited
        | Rv::AttributeReadOnly
        | Rv::AttributeSensitive
        | Rv::FunctionRejected => Class::Denied,
        Rv::MechanismInvalid
        | Rv::MechanismParamInvalid
        | Rv::FunctionNotSupported
        | Rv::CurveNotSupported
        | Rv::KeySizeRange
        | Rv::KeyTypeInconsistent
        | Rv::AttributeTypeInvalid
        | Rv::AttributeValueInvalid
        | Rv::TemplateIncomplete
        | Rv::TemplateInconsistent
        | Rv::RandomNoRng => Class::Unsupported,
        Rv::SessionCount | Rv::HostMemory | Rv::DeviceMemory => Class::Busy,
        Rv::DeviceRemoved
        | Rv::TokenNotPresent
        | Rv::TokenNotRecognized
        | Rv::SlotIdInvalid
        | Rv::CryptokiNotInitialized
        | Rv::FipsSelfTestFailed => Class::Device,
        Rv::PinIncorrect
        | Rv::PinInvalid
        | Rv::PinLenRange
        | Rv::PinExpired
        | Rv::PinLocked
        | Rv::PinTooWeak
        | Rv::UserPinNotInitialized
        | Rv::TokenWriteProtected => Class::Config,
        // GeneralError, DeviceError, FunctionFailed, ArgumentsBad and all that
        // a vendor thinks of.
        _ => Class::Unclear,
    }
}

/// The answer to the caller when nothing more can be tried.
pub(crate) fn told(what: &str, error: &Error) -> KeyError {
    let kind = match class(error) {
        Class::Session | Class::Login | Class::Handle | Class::Muddled => KeyErrorKind::SessionLost,
        Class::Data => KeyErrorKind::Data,
        Class::Denied => KeyErrorKind::Denied,
        Class::Unsupported => KeyErrorKind::Unsupported,
        Class::Busy => KeyErrorKind::Busy,
        Class::Device | Class::Unclear => KeyErrorKind::DeviceLost,
        Class::Config => KeyErrorKind::Config,
    };
    KeyError::new(kind, what, name(error))
}

/// The error's short name; the module's own sentences are long.
pub(crate) fn name(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("the token answered {code:?} to {function:?}"),
        Error::LibraryLoading(error) => format!("the module cannot be loaded: {error}"),
        Error::MissingSymbol(symbol) => format!("it is no PKCS#11 module: {symbol} is missing"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn data_and_device_are_not_confused() {
        let kind = |code| told("x", &Error::Pkcs11(code, Function::UnwrapKey)).kind;
        assert_eq!(kind(RvError::WrappedKeyInvalid), KeyErrorKind::Data);
        assert_eq!(kind(RvError::EncryptedDataInvalid), KeyErrorKind::Data);
        assert_eq!(kind(RvError::DeviceRemoved), KeyErrorKind::DeviceLost);
        assert_eq!(kind(RvError::TokenNotPresent), KeyErrorKind::DeviceLost);
        assert_eq!(
            kind(RvError::SessionHandleInvalid),
            KeyErrorKind::SessionLost
        );
        assert_eq!(kind(RvError::SessionCount), KeyErrorKind::Busy);
        for unclear in [
            RvError::GeneralError,
            RvError::DeviceError,
            RvError::FunctionFailed,
        ] {
            assert_eq!(
                class(&Error::Pkcs11(unclear, Function::UnwrapKey)),
                Class::Unclear
            );
        }
    }
}
