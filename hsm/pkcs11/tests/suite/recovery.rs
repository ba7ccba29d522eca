//! What is lost comes back by itself.

use chancery_hsm_api::{
    ContentKeys as _, Inventory as _, KekId, KeyErrorKind, MacUse, Macs as _, PgpSigning as _,
};
use cryptoki::context::{CInitializeArgs, CInitializeFlags};

use super::World;

pub(crate) fn a_lost_login_is_renewed(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    for round in 1..=5 {
        // Anybody's logout logs out everybody.
        world.raw_session().logout().unwrap();
        assert_eq!(token.unwrap_key(&wrapped).unwrap(), key);
        assert_eq!(token.health().renewals, round);
        token.mac(MacUse::Row, b"x").unwrap();
        token.pgp_sign(&[7; 32]).unwrap();
        token.new_content_key(&KekId::Intake).unwrap();
    }
    assert_eq!(token.health().renewals, 5, "and no more often than needed");
}

pub(crate) fn a_restarted_module_is_found_again(world: &World) {
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    let raw = world.raw();
    raw.clone().finalize().unwrap();
    let error = token.unwrap_key(&wrapped).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{error}");
    assert!(error.kind.is_transient());
    assert!(!token.health().working);
    assert!(token.lost_for().is_some());
    raw.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    // The token is looked for again only now and then.
    let since = std::time::Instant::now();
    let back = loop {
        match token.unwrap_key(&wrapped) {
            Ok(back) => break back,
            Err(error) => assert_eq!(error.kind, KeyErrorKind::DeviceLost),
        }
        assert!(since.elapsed().as_secs() < 5, "it is back within 5 s");
        std::thread::yield_now();
    };
    assert_eq!(back, key);
    assert_eq!(token.lost_for(), None);
    assert!(token.health().working);
}
