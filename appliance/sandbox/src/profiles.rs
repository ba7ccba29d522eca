//! The table: what each daemon may still do.

use crate::{Grants, SandboxError};

/// What a kind of process may do in its sandbox.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name in the table.
    pub name: &'static str,
    /// What it may do with the network.
    pub network: Network,
    /// What it may do with files, at most.
    pub files: Files,
    /// Whether code may still be mapped into memory. Where not, no library can
    /// be loaded any more.
    pub maps_code: bool,
}

/// What a process may do with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing: no internet socket can be made.
    None,
    /// Accept connections on ports opened before; no internet socket can be made.
    Serve,
    /// That, and connect to granted TCP ports; ask a name server by UDP.
    Connect,
}

/// What a process may do with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// None can be opened.
    None,
    /// Granted ones can be read.
    Read,
    /// Granted ones can be read, or written, made and removed.
    Write,
}

/// What the resolver of the C library reads to look up a name.
pub const RESOLVER_FILES: [&str; 5] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
];

/// All profiles.
pub const PROFILES: [&Profile; 6] = [
    &Profile::DOOR,
    &Profile::DOOR_OUT,
    &Profile::READER,
    &Profile::CORE,
    &Profile::CUSTODIAN,
    &Profile::CUSTODIAN_NETWORK,
];

// === impl Profile ===

impl Profile {
    /// A door that serves only (siena, rest).
    pub const DOOR: Self = Self {
        name: "door",
        network: Network::Serve,
        files: Files::Read,
        maps_code: false,
    };

    /// A door that also delivers (mail).
    pub const DOOR_OUT: Self = Self {
        name: "door that delivers",
        network: Network::Connect,
        files: Files::Read,
        maps_code: false,
    };

    /// A reader, whatever it reads.
    pub const READER: Self = Self {
        name: "reader",
        network: Network::None,
        files: Files::None,
        maps_code: false,
    };

    /// Core.
    pub const CORE: Self = Self {
        name: "core",
        network: Network::None,
        files: Files::Write,
        maps_code: false,
    };

    /// The custodian with a token in this machine. Its module is loaded before.
    pub const CUSTODIAN: Self = Self {
        name: "custodian",
        network: Network::None,
        files: Files::Write,
        maps_code: false,
    };

    /// The custodian with a network HSM, whose module connects by itself and
    /// may load parts of itself late.
    pub const CUSTODIAN_NETWORK: Self = Self {
        name: "custodian of a network HSM",
        network: Network::Connect,
        files: Files::Write,
        maps_code: true,
    };

    /// Whether the grants are within the profile.
    pub(crate) fn allows(&self, grants: &Grants) -> Result<(), SandboxError> {
        let beyond = |what| {
            Err(SandboxError::Beyond {
                profile: self.name,
                what,
            })
        };
        if self.files == Files::None && !grants.read.is_empty() {
            return beyond("files to read");
        }
        if self.files != Files::Write && !grants.write.is_empty() {
            return beyond("files to write");
        }
        if self.network != Network::Connect && !grants.connect.is_empty() {
            return beyond("ports to connect to");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_stay_within_their_profile() {
        let read = Grants {
            read: vec!["/etc/hosts".into()],
            ..Grants::default()
        };
        let write = Grants {
            write: vec!["/tmp".into()],
            ..Grants::default()
        };
        let connect = Grants {
            connect: vec![25],
            ..Grants::default()
        };
        let may = |profile: &Profile, grants: &Grants| profile.allows(grants).is_ok();
        for profile in PROFILES {
            assert_eq!(may(profile, &read), profile.files != Files::None);
            assert_eq!(may(profile, &write), profile.files == Files::Write);
            assert_eq!(may(profile, &connect), profile.network == Network::Connect);
        }
    }

    #[test]
    fn who_has_what_no_one_else_has() {
        let named = |wanted: fn(&Profile) -> bool| -> Vec<&str> {
            PROFILES
                .into_iter()
                .filter(|profile| wanted(profile))
                .map(|p| p.name)
                .collect()
        };
        assert_eq!(named(|p| p.files == Files::None), ["reader"]);
        assert_eq!(
            named(|p| p.network == Network::Connect),
            ["door that delivers", "custodian of a network HSM"]
        );
        assert_eq!(named(|p| p.maps_code), ["custodian of a network HSM"]);
    }
}
