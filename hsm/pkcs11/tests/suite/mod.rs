//! One suite over all tokens. A PKCS#11 module is configured by its process'
//! environment and is loaded once: each case therefore runs in a process of its
//! own, with a fresh folder and a fresh token.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a test may end where it fails; each token's file names one kind"
)]

pub(crate) mod attacks;
pub(crate) mod bounds;
pub(crate) mod capabilities;
pub(crate) mod content;
pub(crate) mod faults;
pub(crate) mod pairs;
pub(crate) mod recovery;
pub(crate) mod start;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_hsm_api::{DoorZone, KekId, KeyRole, MacUse, WrapScheme};
use chancery_hsm_pkcs11::{Module, Pin, Token, TokenConfig, Tries};
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

pub(crate) const LABEL: &str = "chancery-test";
pub(crate) const USER_PIN: &str = "user pin 4711";
pub(crate) const OFFICER_PIN: &str = "officer pin 0815";

const FOLDER: &str = "CHANCERY_TEST_FOLDER";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Kryoptic,
    Softhsm,
}

/// What the token is made to lack, by the module that fails on command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Nothing: the module itself.
    Whole,
    /// As cheap network devices are: no wrapping, no derivation.
    NoWrapNoDerive,
    /// As devices of fifteen years ago are: no AES key wrap, no GCM, no Edwards
    /// curves, nothing against quantum computers.
    Old,
    /// Key wrap with padding alone.
    Padded,
    /// Nothing, but faults on command.
    Faulty,
}

impl Profile {
    /// What goes into `shim.conf`; none without the shim.
    fn lines(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::NoWrapNoDerive => Some(
                "hide = 0x2109 0x210a 0x210b 0x210c 0x1050 0x1051\n\
                 unsupported = C_WrapKey C_UnwrapKey C_DeriveKey\n",
            ),
            Self::Old => Some(
                "hide = 0x2109 0x210a 0x210b 0x210c 0x1087 0x1055 0x1056 0x1057 \
                 0x0f 0x17 0x1c 0x1d\n",
            ),
            Self::Padded => Some("hide = 0x2109\n"),
            Self::Faulty => Some(""),
        }
    }
}

/// The cases, each a test of its own.
macro_rules! conformance {
    ($kind:expr) => {
        $crate::suite::cases!($kind, $crate::suite::Profile::Whole;
            start: a_fresh_token_gets_its_keys_and_a_second_time_nothing_changes,
            start: a_token_in_use_is_not_initialised_again,
            start: an_interrupted_initialisation_is_finished,
            start: half_a_pair_is_told,
            start: three_wrong_pins_and_the_token_is_asked_no_more,
            start: another_label_and_an_empty_module_are_told,
            start: two_tokens_with_one_label_are_refused,
            start: what_is_no_module_is_refused,
            content: content_keys_come_back_and_move,
            content: every_changed_byte_is_a_data_error_and_harms_nobody_else,
            content: another_kek_does_not_open_it,
            content: a_kek_that_is_not_there_is_unknown,
            content: digests_differ_by_use_and_stay,
            content: random_bytes_are_not_the_same_twice,
            pairs: signatures_verify_outside_the_token,
            pairs: handshakes_are_signed_and_nothing_else,
            pairs: key_agreement_is_that_of_the_curve,
            attacks: wrap_then_decrypt_is_refused,
            attacks: keys_do_not_leave_the_token,
            attacks: keys_cannot_be_given_more_rights,
            attacks: a_key_that_may_do_more_is_refused,
            attacks: two_keys_of_one_label_are_refused,
            attacks: anothers_public_key_is_found_out,
            recovery: a_lost_login_is_renewed,
            recovery: a_restarted_module_is_found_again,
            bounds: many_callers_share_few_sessions,
            bounds: who_finds_no_session_is_told_that_it_is_busy,
            capabilities: the_matrix_tells_what_there_is,
        );
    };
}
pub(crate) use conformance;

/// What a token that is cut down still does, and what it says that it cannot do.
macro_rules! poorer {
    ($kind:expr, $profile:expr) => {
        $crate::suite::cases!($kind, $profile;
            capabilities: the_matrix_tells_what_there_is,
            capabilities: what_cannot_be_served_is_named,
            capabilities: what_was_wrapped_otherwise_still_opens,
            start: a_fresh_token_gets_its_keys_and_a_second_time_nothing_changes,
            content: content_keys_come_back_and_move,
            content: every_changed_byte_is_a_data_error_and_harms_nobody_else,
            content: another_kek_does_not_open_it,
            pairs: signatures_verify_outside_the_token,
            attacks: keys_do_not_leave_the_token,
            attacks: keys_cannot_be_given_more_rights,
            recovery: a_lost_login_is_renewed,
        );
    };
}
pub(crate) use poorer;

/// What is done about a token that fails.
macro_rules! failing {
    ($kind:expr) => {
        $crate::suite::cases!($kind, $crate::suite::Profile::Faulty;
            faults: lost_sessions_and_logins_are_made_anew,
            faults: a_token_that_is_pulled_out_and_put_back_is_found,
            faults: what_fails_now_and_then_is_done_again,
            faults: a_broken_device_is_never_told_as_wrong_data,
            faults: wrong_data_is_never_told_as_a_broken_device,
            faults: a_device_without_room_is_busy,
            faults: wrong_answers_are_found_out,
            faults: random_bytes_that_stand_still_end_the_service,
            faults: a_slow_token_is_busy_and_not_lost,
            faults: a_call_that_hangs_is_seen_and_others_go_on,
            faults: a_token_that_is_gone_costs_no_pin_tries,
        );
    };
}
pub(crate) use failing;

macro_rules! cases {
    ($kind:expr, $profile:expr; $($room:ident: $case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                let case = $crate::suite::$room::$case;
                $crate::suite::alone($kind, $profile, stringify!($case), case);
            }
        )*
    };
}
pub(crate) use cases;

/// One case's world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) profile: Profile,
    pub(crate) folder: PathBuf,
    pub(crate) module_path: PathBuf,
}

/// Runs a case in a process of its own; in that process, the case itself.
pub(crate) fn alone(kind: Kind, profile: Profile, name: &str, case: fn(&World)) {
    let real = module_path(kind);
    let module_path = match profile {
        Profile::Whole => real.clone(),
        _ => built("libchancery_shim.so", "cd tests/shim && cargo build"),
    };
    if let Some(folder) = std::env::var_os(FOLDER) {
        return case(&World {
            kind,
            profile,
            folder: folder.into(),
            module_path,
        });
    }
    // In memory where it can be: these tokens need not outlive a loss of power.
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    if let Some(lines) = profile.lines() {
        let text = format!("module = {}\n{lines}", real.display());
        std::fs::write(folder.path().join("shim.conf"), text).unwrap();
    }
    let mut process = Command::new(std::env::current_exe().unwrap());
    process
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path());
    match kind {
        Kind::Kryoptic => {
            let conf = folder.path().join("token.conf");
            std::fs::write(&conf, kryoptic_conf(folder.path(), 1)).unwrap();
            process.env("KRYOPTIC_CONF", conf);
        }
        Kind::Softhsm => {
            let conf = folder.path().join("softhsm2.conf");
            let tokens = folder.path().join("tokens");
            std::fs::create_dir(&tokens).unwrap();
            let text = format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                tokens.display()
            );
            std::fs::write(&conf, text).unwrap();
            process.env("SOFTHSM2_CONF", conf);
        }
    }
    let output = process.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{kind:?} {name}: {}\n{told}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Kryoptic's configuration with so many slots.
pub(crate) fn kryoptic_conf(folder: &Path, slots: u32) -> String {
    (1..=slots)
        .map(|slot| {
            let file = folder.join(format!("token{slot}.sql"));
            format!("[[slots]]\nslot = {slot}\ndbtype = \"sqlite\"\ndbargs = {file:?}\n\n")
        })
        .collect()
}

/// A file beside the folder of this test: target/debug/deps/this-test.
fn beside(name: &str) -> PathBuf {
    let target = std::env::current_exe().unwrap();
    target.ancestors().nth(2).unwrap().join(name)
}

fn built(name: &str, remedy: &str) -> PathBuf {
    let path = beside(name);
    assert!(path.exists(), "{} is not there: {remedy}", path.display());
    path
}

fn module_path(kind: Kind) -> PathBuf {
    let (variable, candidates, remedy) = match kind {
        Kind::Kryoptic => (
            "CHANCERY_TOKEN_MODULE",
            vec![beside("libchancery_token.so")],
            "build it: cd hsm/token && cargo build",
        ),
        Kind::Softhsm => {
            let places = [
                "/usr/lib/softhsm/libsofthsm2.so",
                "/usr/lib64/pkcs11/libsofthsm2.so",
            ];
            (
                "CHANCERY_SOFTHSM_MODULE",
                places.map(PathBuf::from).to_vec(),
                "install softhsm2",
            )
        }
    };
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    candidates
        .iter()
        .find(|path| path.exists())
        .cloned()
        .unwrap_or_else(|| {
            panic!("the PKCS#11 module is not at {candidates:?}: {remedy}, or set {variable}")
        })
}

pub(crate) fn kek(rank: u8, compartment: &str) -> KekId {
    KekId::Label {
        rank,
        compartment: compartment.parse().unwrap(),
    }
}

impl World {
    /// The roles of a small node, as far as the token can serve them.
    pub(crate) fn roles(&self) -> BTreeSet<KeyRole> {
        let mut roles: BTreeSet<KeyRole> = [
            KeyRole::Kek(KekId::Intake),
            KeyRole::Kek(kek(1, "acme")),
            KeyRole::Kek(kek(3, "acme")),
            KeyRole::Mac(MacUse::Index),
            KeyRole::Mac(MacUse::Row),
            KeyRole::AuditCheckpoint,
            KeyRole::PgpSign,
            KeyRole::PgpDecrypt,
            KeyRole::Tls(DoorZone::Rest),
            KeyRole::Tls(DoorZone::Mail),
        ]
        .into();
        if self.profile == Profile::NoWrapNoDerive {
            roles.remove(&KeyRole::PgpDecrypt);
        }
        roles
    }

    /// By what this token wraps, and how long that is.
    pub(crate) fn scheme(&self) -> (WrapScheme, usize) {
        match self.profile {
            Profile::Whole | Profile::Faulty => (WrapScheme::AesKw, 40),
            Profile::Padded => (WrapScheme::AesKwp, 40),
            Profile::NoWrapNoDerive => (WrapScheme::AesGcm, 60),
            Profile::Old => (WrapScheme::RsaOaepSha1, 384),
        }
    }

    /// Has the shim do this from now on.
    pub(crate) fn faults(&self, text: &str) {
        let fresh = self.folder.join("shim.faults.new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.folder.join("shim.faults")).unwrap();
    }

    pub(crate) fn module(&self) -> Module {
        Module::load(&self.module_path, None).unwrap()
    }

    pub(crate) fn tries(&self) -> Tries {
        Tries::new(self.folder.join("pin-tries"))
    }

    pub(crate) fn config(&self) -> TokenConfig {
        TokenConfig::new(LABEL)
    }

    pub(crate) fn open(
        &self,
        module: &Module,
        pin: &str,
    ) -> Result<Token, chancery_hsm_api::KeyError> {
        Token::open(
            module.clone(),
            self.config(),
            Pin::new(pin).unwrap(),
            self.tries(),
        )
    }

    /// A token initialised and provisioned.
    pub(crate) fn token(&self) -> (Module, Token) {
        let module = self.module();
        initialise(&module);
        let token = self.open(&module, USER_PIN).unwrap();
        token.provision(&self.roles()).unwrap();
        (module, token)
    }

    /// The module without our care: what an attacker in the process has.
    pub(crate) fn raw(&self) -> Pkcs11 {
        // The same library, initialised already.
        Pkcs11::new(&self.module_path).unwrap()
    }

    /// A session that may write; logged in if nobody is yet.
    pub(crate) fn raw_session(&self) -> Session {
        let raw = self.raw();
        let slots = raw.get_slots_with_initialized_token().unwrap();
        let slot = slots
            .into_iter()
            .find(|slot| raw.get_token_info(*slot).unwrap().label() == LABEL)
            .unwrap();
        let session = raw.open_rw_session(slot).unwrap();
        match session.login(UserType::User, Some(&AuthPin::new(USER_PIN.into()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => panic!("{error}"),
        }
        session
    }
}

pub(crate) fn initialise(module: &Module) {
    let (officer, user) = (Pin::new(OFFICER_PIN).unwrap(), Pin::new(USER_PIN).unwrap());
    let identity = module.initialise(LABEL, &officer, &user).unwrap();
    assert_eq!(identity.label, LABEL);
    assert!(identity.initialised);
}
