//! Few sessions, many callers.

use std::time::Duration;

use chancery_hsm_api::{
    ContentKeys as _, Inventory as _, KekId, KeyErrorKind, MacUse, Macs as _, PgpSigning as _,
};
use chancery_hsm_pkcs11::{Pin, Token, TokenConfig};

use super::{USER_PIN, World};

pub(crate) fn many_callers_share_few_sessions(world: &World) {
    let (_module, token) = world.token();
    let expected = token.mac(MacUse::Index, b"x").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
                    assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
                    assert_eq!(token.mac(MacUse::Index, b"x").unwrap(), expected);
                    token.pgp_sign(&[7; 32]).unwrap();
                }
            });
        }
    });
    assert_eq!(token.health().renewals, 0);
    assert_eq!(token.oldest_call(), None, "every session was given back");
}

pub(crate) fn who_finds_no_session_is_told_that_it_is_busy(world: &World) {
    let (module, token) = world.token();
    drop(token);
    let config = TokenConfig {
        max_sessions: 1,
        patience: Duration::ZERO,
        ..world.config()
    };
    let pin = Pin::new(USER_PIN).unwrap();
    let token = Token::open(module, config, pin, world.tries()).unwrap();
    // 32 KiB under a digest takes long enough to be met.
    let data = vec![7; 32 * 1024];
    let errors: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..200)
                        .filter_map(|_| token.mac(MacUse::Row, &data).err())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        callers
            .into_iter()
            .flat_map(|caller| caller.join().unwrap())
            .collect()
    });
    assert!(!errors.is_empty(), "eight callers and one session");
    assert!(
        errors.iter().all(|error| error.kind == KeyErrorKind::Busy),
        "{:?}",
        errors[0]
    );
    token.mac(MacUse::Row, &data).unwrap();
}
