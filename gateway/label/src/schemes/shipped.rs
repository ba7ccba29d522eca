//! The schemes that are built in, so that a gateway needs no files to read a
//! marking.

use std::path::Path;
use std::sync::OnceLock;

use crate::LabelError;
use crate::error::{Fault, Place};
use crate::schemes::{Problem, Schemes, own, parse_scheme};

/// One built-in scheme: the file's name, its text, and the text of its cases.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// File name without `.toml`.
    pub name: &'static str,
    /// `config/schemes/<name>.toml`.
    pub scheme: &'static str,
    /// `config/schemes/<name>.cases.toml`.
    pub cases: &'static str,
}

/// Every scheme of `config/schemes`, in the order of the files' names.
pub static SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

static IN_FORCE: OnceLock<Result<Schemes, LabelError>> = OnceLock::new();

/// The schemes in force: the built-in ones unless [`install`] came first.
///
/// # Errors
/// [`Fault::Scheme`] if a built-in file is broken; the tests rule that out.
pub fn shipped() -> Result<&'static Schemes, LabelError> {
    IN_FORCE
        .get_or_init(built_in)
        .as_ref()
        .map_err(Clone::clone)
}

fn built_in() -> Result<Schemes, LabelError> {
    let mut list = SHIPPED
        .iter()
        .map(|file| parse_scheme(file.name, file.scheme))
        .collect::<Result<Vec<_>, _>>()?;
    list.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Schemes::new(list))
}

/// Puts other schemes in force, once, at start, before anything is read.
///
/// # Errors
/// [`Fault::Conflict`] if schemes are in force already.
pub fn install(schemes: Schemes) -> Result<(), LabelError> {
    IN_FORCE.set(Ok(schemes)).map_err(|_| {
        LabelError::new(
            Fault::Conflict,
            "label schemes are in force already: install them before the first label is read",
            Place::Whole,
            "product rule: schemes do not change under a running gateway",
        )
    })
}

/// Puts the schemes of a node's folder in force beside the built-in ones, once,
/// at start. Tells how many there are then, or `None` where the folder holds no
/// scheme and the built-in ones stay alone.
///
/// # Errors
/// Everything that is wrong with the folder ([`own`]), or that schemes are in
/// force already ([`install`]). Nothing changes then.
pub fn install_own(dir: &Path) -> Result<Option<usize>, Vec<Problem>> {
    let Some(schemes) = own(dir)? else {
        return Ok(None);
    };
    let count = schemes.all().len();
    install(schemes).map_err(|error| {
        vec![Problem {
            file: dir.display().to_string(),
            what: error.to_string(),
        }]
    })?;
    Ok(Some(count))
}
