//! Where another program made of this library may look in. The shipped
//! `chancery-reader` is made with [`Nothing`]; the tests make one of their own
//! that tries from inside what a hole in a parser would try.

use chancery_hsm_api::DoorZone;
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::Links;
use chancery_settings::Settings;

/// What a reader has when it begins to serve.
#[allow(missing_debug_implementations, reason = "it is looked through, not at")]
pub struct Inside<'a> {
    /// Its zone.
    pub zone: DoorZone,
    /// The node's settings.
    pub settings: &'a Settings,
    /// Its sockets.
    pub links: &'a Links,
    /// Its way to the custodian, if it has one.
    pub custody: Option<&'a CustodyClient>,
}

/// What a program made of this library does besides reading.
pub trait Besides: Sync {
    /// Called once, sandboxed, before it serves. May block.
    fn begins(&self, inside: &Inside<'_>);

    /// Called before a message is read, watched like the reading itself.
    fn reads(&self, raw: &[u8]);
}

/// Nothing: the shipped program.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Besides for Nothing {
    fn begins(&self, _inside: &Inside<'_>) {}

    fn reads(&self, _raw: &[u8]) {}
}
