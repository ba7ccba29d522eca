//! A token that fails on command: what is lost comes back by itself, and whose
//! fault it was is told truly.

use std::time::{Duration, Instant};

use chancery_hsm_api::{
    ContentKeys as _, Inventory as _, KekId, KeyErrorKind, MacUse, Macs as _, PgpSigning as _,
    Randomness as _,
};
use chancery_hsm_pkcs11::{Pin, Token, TokenConfig};

use super::{USER_PIN, World};

/// Error codes of PKCS#11.
const GENERAL_ERROR: u32 = 0x05;
const FUNCTION_FAILED: u32 = 0x06;
const DEVICE_ERROR: u32 = 0x30;
const DEVICE_MEMORY: u32 = 0x31;
const DEVICE_REMOVED: u32 = 0x32;
const ENCRYPTED_DATA_INVALID: u32 = 0x40;
const SESSION_CLOSED: u32 = 0xb0;
const SESSION_HANDLE_INVALID: u32 = 0xb3;
const WRAPPED_KEY_INVALID: u32 = 0x110;

pub(crate) fn lost_sessions_and_logins_are_made_anew(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    let expected = token.mac(MacUse::Row, b"x").unwrap();
    for what in ["lose-sessions", "lose-login"] {
        for function in ["C_UnwrapKey", "C_SignInit", "C_Sign", "C_GetAttributeValue"] {
            world.faults(&format!("{function} {what} times 1\n"));
            assert_eq!(
                token.unwrap_key(&wrapped).unwrap(),
                key,
                "{what} {function}"
            );
            assert_eq!(token.mac(MacUse::Row, b"x").unwrap(), expected);
            token.pgp_sign(&[7; 32]).unwrap();
        }
    }
    for code in [SESSION_CLOSED, SESSION_HANDLE_INVALID] {
        world.faults(&format!("C_UnwrapKey error {code} times 1\n"));
        assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
    }
    assert!(token.health().working);
    assert_eq!(token.lost_for(), None);
}

pub(crate) fn a_token_that_is_pulled_out_and_put_back_is_found(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    for round in 1..=3 {
        world.faults("* absent\n");
        let error = token.unwrap_key(&wrapped).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{error}");
        assert!(error.kind.is_transient());
        let health = token.health();
        assert!(
            !health.working && health.last_failure.is_some(),
            "{health:?}"
        );
        assert!(token.lost_for().is_some());
        world.faults("");
        let since = Instant::now();
        let back = loop {
            match token.unwrap_key(&wrapped) {
                Ok(back) => break back,
                Err(error) => assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{error}"),
            }
            assert!(since.elapsed().as_secs() < 20, "it is not found again");
            std::thread::yield_now();
        };
        assert_eq!(back, key);
        let health = token.health();
        assert!(health.working && health.renewals >= round, "{health:?}");
    }
}

pub(crate) fn what_fails_now_and_then_is_done_again(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    let expected = token.mac(MacUse::Row, b"x").unwrap();
    for code in [DEVICE_ERROR, GENERAL_ERROR, FUNCTION_FAILED] {
        world.faults(&format!(
            "C_UnwrapKey error {code} every 7\nC_Sign error {code} every 5\n"
        ));
        for _ in 0..40 {
            assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
            assert_eq!(token.mac(MacUse::Row, b"x").unwrap(), expected);
        }
    }
    assert!(token.health().working);
}

pub(crate) fn a_broken_device_is_never_told_as_wrong_data(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    // Codes for devices, for anything, and for data: the blob is good.
    let codes = [
        DEVICE_ERROR,
        GENERAL_ERROR,
        FUNCTION_FAILED,
        DEVICE_REMOVED,
        WRAPPED_KEY_INVALID,
        ENCRYPTED_DATA_INVALID,
    ];
    for code in codes {
        world.faults(&format!("C_UnwrapKey error {code}\n"));
        let error = token.unwrap_key(&wrapped).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{code:#x}: {error}");
        world.faults("");
        let since = Instant::now();
        while token.unwrap_key(&wrapped).ok().as_ref() != Some(&key) {
            assert!(
                since.elapsed().as_secs() < 20,
                "{code:#x}: it does not heal"
            );
            std::thread::yield_now();
        }
    }
}

pub(crate) fn wrong_data_is_never_told_as_a_broken_device(world: &World) {
    let (_module, token) = world.token();
    let (_, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    let mut changed = wrapped;
    changed.blob[20] ^= 1;
    // Also where the device stumbles beside it now and then, or calls it so.
    for faults in [
        "",
        "C_CreateObject error 0x30 times 1\n",
        "C_UnwrapKey lose-sessions times 1\n",
        "C_UnwrapKey lose-login times 1\n",
    ] {
        world.faults(faults);
        let error = token.unwrap_key(&changed).unwrap_err();
        if error.kind != KeyErrorKind::Data {
            // The device stumbled in the middle of the proof: then nobody
            // can say, and the next time it is told.
            assert_eq!(
                (error.kind, faults.is_empty()),
                (KeyErrorKind::DeviceLost, false)
            );
        }
        world.faults("");
        let since = Instant::now();
        while token.unwrap_key(&changed).unwrap_err().kind != KeyErrorKind::Data {
            assert!(since.elapsed().as_secs() < 20, "{faults}");
            std::thread::yield_now();
        }
        assert!(token.health().working, "{faults}");
    }
}

pub(crate) fn a_device_without_room_is_busy(world: &World) {
    let (_module, token) = world.token();
    world.faults(&format!("C_CreateObject error {DEVICE_MEMORY}\n"));
    let error = token.new_content_key(&KekId::Intake).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Busy, "{error}");
    assert!(token.health().working);
    world.faults("");
    token.new_content_key(&KekId::Intake).unwrap();
}

pub(crate) fn wrong_answers_are_found_out(world: &World) {
    let (module, token) = world.token();
    world.faults("C_WrapKey corrupt\n");
    token.new_content_key(&KekId::Intake).unwrap_err();
    world.faults("C_Sign corrupt\n");
    let error = token.pgp_sign(&[7; 32]).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{error}");
    // A key that does not do what it is for stops the start.
    drop(token);
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config, "{error}");
    world.faults("");
    world.open(&module, USER_PIN).unwrap();
}

pub(crate) fn random_bytes_that_stand_still_end_the_service(world: &World) {
    let (_module, token) = world.token();
    token.fill(&mut [0; 64]).unwrap();
    world.faults("C_GenerateRandom corrupt\n");
    let mut bytes = [0; 64];
    let error = token.fill(&mut bytes).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::DeviceLost);
    assert_eq!(bytes, [0; 64], "nothing of it is given");
    world.faults("");
    // It stays so until a new process looks at it.
    token.new_content_key(&KekId::Intake).unwrap_err();
    token.fill(&mut bytes).unwrap_err();
}

pub(crate) fn a_slow_token_is_busy_and_not_lost(world: &World) {
    let (module, token) = world.token();
    drop(token);
    let config = TokenConfig {
        patience: Duration::from_millis(50),
        ..world.config()
    };
    let pin = Pin::new(USER_PIN).unwrap();
    let token = Token::open(module, config, pin, world.tries()).unwrap();
    world.faults("C_Sign delay 400\n");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| token.mac(MacUse::Row, b"x").map_err(|error| error.kind)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    assert!(outcomes.iter().any(Result::is_ok));
    let busy = Err(KeyErrorKind::Busy);
    assert!(
        outcomes.iter().all(|one| one.is_ok() || *one == busy),
        "{outcomes:?}"
    );
    assert!(outcomes.contains(&busy), "eight callers, two sessions");
    world.faults("");
    assert!(token.health().working);
    assert_eq!(token.health().renewals, 0);
}

pub(crate) fn a_call_that_hangs_is_seen_and_others_go_on(world: &World) {
    let (_module, token) = world.token();
    let token: &'static Token = Box::leak(Box::new(token));
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    world.faults("C_Sign hang times 1\n");
    std::thread::spawn(|| token.mac(MacUse::Row, b"x"));
    let since = Instant::now();
    while token
        .oldest_call()
        .is_none_or(|span| span < Duration::from_millis(300))
    {
        assert!(since.elapsed().as_secs() < 20, "nobody sees that it hangs");
        std::thread::yield_now();
    }
    // The other session works on.
    assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
    assert!(token.oldest_call().is_some());
}

pub(crate) fn a_token_that_is_gone_costs_no_pin_tries(world: &World) {
    let (module, token) = world.token();
    drop(token);
    for fault in [
        "* absent\n",
        "C_Login error 0x30\n",
        "C_OpenSession error 0x30\n",
    ] {
        world.faults(fault);
        for _ in 0..8 {
            let error = world.open(&module, USER_PIN).unwrap_err();
            assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{fault}{error}");
        }
    }
    world.faults("");
    world.open(&module, USER_PIN).unwrap();
}
