//! Starting: the right token, the right PIN, the right module.

use std::collections::BTreeSet;

use chancery_hsm_api::{Inventory as _, KeyErrorKind, PublicKeys as _};
use chancery_hsm_pkcs11::{Module, Pin, Token, TokenConfig};
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::types::AuthPin;

use super::{Kind, LABEL, OFFICER_PIN, USER_PIN, World, initialise};

pub(crate) fn a_fresh_token_gets_its_keys_and_a_second_time_nothing_changes(world: &World) {
    let module = world.module();
    initialise(&module);
    let token = world.open(&module, USER_PIN).unwrap();
    assert_eq!(token.keys().unwrap(), []);
    let first = token.provision(&world.roles()).unwrap();
    assert_eq!(
        first
            .iter()
            .map(|key| key.role.clone())
            .collect::<BTreeSet<_>>(),
        world.roles()
    );
    for key in &first {
        assert_eq!(key.generation, 1);
        assert_eq!(key.public.is_some(), key.role.is_key_pair());
        if let Some(point) = &key.public {
            assert_eq!(point.len(), 65);
            assert_eq!(*point, token.public_key(&key.role).unwrap());
        }
    }
    assert_eq!(token.provision(&world.roles()).unwrap(), first);
    drop(token);
    let again = world.open(&module, USER_PIN).unwrap();
    assert_eq!(again.keys().unwrap(), first);
    let health = again.health();
    assert!(health.working, "{health:?}");
    assert_eq!((health.label.as_str(), health.renewals), (LABEL, 0));
}

pub(crate) fn a_token_in_use_is_not_initialised_again(world: &World) {
    let module = world.module();
    let (officer, user) = (Pin::new(OFFICER_PIN).unwrap(), Pin::new(USER_PIN).unwrap());
    let same = module.initialise(LABEL, &user, &user).unwrap_err();
    assert!(same.detail.contains("different PINs"), "{same}");
    for bad in ["", "two words", "thirty-three-bytes-are-one-too-much"] {
        assert_eq!(
            module.initialise(bad, &officer, &user).unwrap_err().kind,
            KeyErrorKind::Config
        );
    }
    initialise(&module);
    let error = module.initialise(LABEL, &officer, &user).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    world.open(&module, USER_PIN).unwrap();
}

pub(crate) fn an_interrupted_initialisation_is_finished(world: &World) {
    let module = world.module();
    let (officer, user) = (Pin::new(OFFICER_PIN).unwrap(), Pin::new(USER_PIN).unwrap());
    let raw = world.raw();
    let slot = raw.get_slots_with_token().unwrap()[0];
    raw.init_token(slot, &AuthPin::new(OFFICER_PIN.into()), LABEL)
        .unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert!(error.detail.contains("no user PIN"), "{error}");
    assert!(
        module
            .initialise(LABEL, &officer, &user)
            .unwrap()
            .has_user_pin
    );
    world.open(&module, USER_PIN).unwrap();
}

pub(crate) fn half_a_pair_is_told(world: &World) {
    let (module, token) = world.token();
    drop(token);
    let session = world.raw_session();
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Label(b"tls/rest".to_vec()),
    ];
    session
        .destroy_object(session.find_objects(&template).unwrap()[0])
        .unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    assert!(
        error.detail.contains("its public half is missing"),
        "{error}"
    );
}

pub(crate) fn three_wrong_pins_and_the_token_is_asked_no_more(world: &World) {
    let module = world.module();
    initialise(&module);
    for left in ["2 more", "1 more", "0 more"] {
        let error = world.open(&module, "wrong pin 99").unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Config);
        assert!(error.detail.contains(left), "{error}");
        assert!(!error.to_string().contains("wrong pin 99"));
    }
    // Neither a wrong nor the right one gets through now.
    for pin in ["wrong pin 99", USER_PIN] {
        let error = world.open(&module, pin).unwrap_err();
        assert!(error.detail.contains("not asked again"), "{error}");
    }
    world.tries().reset().unwrap();
    // The token itself is not locked: it saw three.
    world.open(&module, USER_PIN).unwrap();
}

pub(crate) fn another_label_and_an_empty_module_are_told(world: &World) {
    let module = world.module();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::DeviceLost, "{error}");
    initialise(&module);
    let open = |config: TokenConfig| {
        Token::open(
            module.clone(),
            config,
            Pin::new(USER_PIN).unwrap(),
            world.tries(),
        )
    };
    let error = open(TokenConfig::new("another")).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    assert!(
        error.detail.contains(LABEL),
        "it names what is there: {error}"
    );
    let serial = module.tokens().unwrap()[0].serial.clone();
    let other = TokenConfig {
        serial: Some("0000".to_owned()),
        ..world.config()
    };
    assert_eq!(open(other).unwrap_err().kind, KeyErrorKind::Config);
    open(TokenConfig {
        serial: Some(serial),
        ..world.config()
    })
    .unwrap();
}

pub(crate) fn two_tokens_with_one_label_are_refused(world: &World) {
    if world.kind == Kind::Kryoptic {
        // Read when the module is loaded.
        let conf = super::kryoptic_conf(&world.folder, 2);
        std::fs::write(world.folder.join("token.conf"), conf).unwrap();
    }
    let module = world.module();
    initialise(&module);
    let raw = world.raw();
    let empty = raw
        .get_slots_with_token()
        .unwrap()
        .into_iter()
        .find(|slot| !raw.get_token_info(*slot).unwrap().token_initialized())
        .unwrap();
    raw.init_token(empty, &AuthPin::new(OFFICER_PIN.into()), LABEL)
        .unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    assert!(error.detail.contains("2 tokens"), "{error}");
}

pub(crate) fn what_is_no_module_is_refused(world: &World) {
    let refused = |path: &std::path::Path, hash: Option<&str>| {
        let error = Module::load(path, hash).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Config, "{error}");
        error.detail
    };
    assert!(refused("libchancery_token.so".as_ref(), None).contains("absolute"));
    refused(&world.folder.join("nothing.so"), None);
    refused(&world.folder, None);
    assert!(refused(&world.module_path, Some(&"00".repeat(32))).contains("hash"));

    use sha2::Digest as _;
    let right = hex::encode(sha2::Sha256::digest(
        std::fs::read(&world.module_path).unwrap(),
    ));
    Module::load(&world.module_path, Some(&right)).unwrap();
    assert!(refused(&world.module_path, None).contains("one module"));
}
