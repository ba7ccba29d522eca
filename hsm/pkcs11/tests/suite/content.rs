//! Content keys, digests, random bytes.

use std::collections::BTreeSet;

use chancery_hsm_api::{
    ContentKeys as _, Inventory as _, KekId, KeyErrorKind, MacUse, Macs as _, Randomness as _,
    WrapScheme, WrappedKey,
};

use super::{World, kek};

pub(crate) fn content_keys_come_back_and_move(world: &World) {
    let (module, token) = world.token();
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
        assert_eq!((&wrapped.kek, wrapped.generation), (&KekId::Intake, 1));
        assert_eq!((wrapped.scheme, wrapped.blob.len()), world.scheme());
        assert!(seen.insert(*key.expose()), "no key twice");
        assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
        let moved = token.rewrap_key(&wrapped, &kek(3, "acme")).unwrap();
        assert_eq!(moved.kek, kek(3, "acme"));
        assert_ne!(moved.blob, wrapped.blob);
        assert_eq!(token.unwrap_key(&moved).unwrap(), key);
    }
    // After a restart too.
    let (key, wrapped) = token.new_content_key(&kek(1, "acme")).unwrap();
    drop(token);
    let token = world.open(&module, super::USER_PIN).unwrap();
    assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
}

pub(crate) fn every_changed_byte_is_a_data_error_and_harms_nobody_else(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    let (scheme, length) = world.scheme();
    // Of a long one some: RSA takes its time.
    for at in (0..length).step_by(if length > 100 { 29 } else { 1 }) {
        let mut changed = wrapped.clone();
        changed.blob[at] ^= 0x80;
        let error = token.unwrap_key(&changed).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Data, "byte {at}: {error}");
        let error = token.rewrap_key(&changed, &kek(1, "acme")).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Data, "byte {at}: {error}");
        assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
    }
    for length in [0, 8, 39, 41, 48, 61, 383, 4096] {
        let other = WrappedKey {
            blob: vec![7; length],
            ..wrapped.clone()
        };
        assert_eq!(
            token.unwrap_key(&other).unwrap_err().kind,
            KeyErrorKind::Data
        );
    }
    for other in WrapScheme::ALL.into_iter().filter(|other| *other != scheme) {
        for length in [40, 60, 384] {
            let told = WrappedKey {
                scheme: other,
                blob: vec![7; length],
                ..wrapped.clone()
            };
            assert_eq!(
                token.unwrap_key(&told).unwrap_err().kind,
                KeyErrorKind::Data
            );
        }
    }
    let health = token.health();
    assert!(health.working, "{health:?}");
    assert_eq!(health.renewals, 0, "bad bytes cost nobody a session");
}

pub(crate) fn another_kek_does_not_open_it(world: &World) {
    let (_module, token) = world.token();
    let (_, wrapped) = token.new_content_key(&kek(3, "acme")).unwrap();
    for other in [KekId::Intake, kek(1, "acme")] {
        let swapped = WrappedKey {
            kek: other.clone(),
            ..wrapped.clone()
        };
        assert_eq!(
            token.unwrap_key(&swapped).unwrap_err().kind,
            KeyErrorKind::Data
        );
        assert_eq!(
            token.rewrap_key(&swapped, &other).unwrap_err().kind,
            KeyErrorKind::Data
        );
    }
}

pub(crate) fn a_kek_that_is_not_there_is_unknown(world: &World) {
    let (_module, token) = world.token();
    let unknown = kek(2, "acme");
    let error = token.new_content_key(&unknown).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Unknown, "{error}");
    let (_, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    assert_eq!(
        token.rewrap_key(&wrapped, &unknown).unwrap_err().kind,
        KeyErrorKind::Unknown
    );
    let later = WrappedKey {
        generation: 2,
        ..wrapped
    };
    assert_eq!(
        token.unwrap_key(&later).unwrap_err().kind,
        KeyErrorKind::Unknown
    );
}

pub(crate) fn digests_differ_by_use_and_stay(world: &World) {
    let (module, token) = world.token();
    let mut seen = BTreeSet::new();
    let data: [&[u8]; 4] = [b"", b"a", b"b", &[7; 32 * 1024]];
    let mut digests = Vec::new();
    for usage in [MacUse::Index, MacUse::Row] {
        for data in data {
            let mac = token.mac(usage, data).unwrap();
            assert_eq!(mac, token.mac(usage, data).unwrap());
            assert!(seen.insert(mac));
            digests.push(mac);
        }
    }
    drop(token);
    let token = world.open(&module, super::USER_PIN).unwrap();
    assert_eq!(token.mac(MacUse::Index, b"").unwrap(), digests[0]);
}

pub(crate) fn random_bytes_are_not_the_same_twice(world: &World) {
    let (_module, token) = world.token();
    token.fill(&mut []).unwrap();
    let mut seen = BTreeSet::new();
    for length in [16, 31, 32, 33, 100, 5000] {
        for _ in 0..3 {
            let mut bytes = vec![0; length];
            token.fill(&mut bytes).unwrap();
            assert!(bytes.iter().any(|byte| *byte != 0));
            assert!(seen.insert(bytes[..16].to_vec()));
        }
    }
}
