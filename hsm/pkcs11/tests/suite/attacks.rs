//! What an attacker tries who has the PIN and the module: to get keys out, to
//! use them for something else, to put others in their place.

use chancery_hsm_api::{KekId, KeyErrorKind, KeyRole};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use sha2::Digest as _;

use super::{USER_PIN, World};

fn hidden(session: &Session, role: &KeyRole) -> ObjectHandle {
    let label = role.to_string().into_bytes();
    let of_class = |class| {
        let template = [Attribute::Class(class), Attribute::Label(label.clone())];
        session.find_objects(&template).unwrap()
    };
    let mut found = of_class(ObjectClass::SECRET_KEY);
    found.extend(of_class(ObjectClass::PRIVATE_KEY));
    assert_eq!(found.len(), 1, "{role}");
    found[0]
}

/// A content key in the token: sensitive, but it may be wrapped.
fn target(session: &Session) -> ObjectHandle {
    let template = [
        Attribute::Token(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(true),
        Attribute::ValueLen(32.into()),
    ];
    session
        .generate_key(&Mechanism::AesKeyGen, &template)
        .unwrap()
}

pub(crate) fn wrap_then_decrypt_is_refused(world: &World) {
    let (_module, _token) = world.token();
    let session = world.raw_session();
    let kek = hidden(&session, &KeyRole::Kek(KekId::Intake));
    let target = target(&session);
    let right = session
        .wrap_key(&Mechanism::AesKeyWrap, kek, target)
        .unwrap();
    assert_eq!(right.len(), 40, "what the KEK is for works");
    for other in [
        Mechanism::AesCbc([0; 16]),
        Mechanism::AesEcb,
        Mechanism::AesCbcPad([0; 16]),
    ] {
        session.wrap_key(&other, kek, target).unwrap_err();
        session.encrypt(&other, kek, &[0; 32]).unwrap_err();
        session.decrypt(&other, kek, &[0; 32]).unwrap_err();
        session.decrypt(&other, kek, &right).unwrap_err();
    }
    session
        .decrypt(&Mechanism::AesKeyWrap, kek, &right)
        .unwrap_err();
    session.sign(&Mechanism::AesCMac, kek, b"x").unwrap_err();
}

pub(crate) fn keys_do_not_leave_the_token(world: &World) {
    let (_module, _token) = world.token();
    let session = world.raw_session();
    let kek = hidden(&session, &KeyRole::Kek(KekId::Intake));
    for role in world.roles() {
        let key = hidden(&session, &role);
        let told = session.get_attributes(key, &[AttributeType::Value]);
        assert!(
            told.is_err() || told.is_ok_and(|told| told.is_empty()),
            "{role}"
        );
        session
            .wrap_key(&Mechanism::AesKeyWrap, kek, key)
            .unwrap_err();
        session
            .wrap_key(&Mechanism::AesKeyWrapPad, kek, key)
            .unwrap_err();
    }
}

pub(crate) fn keys_cannot_be_given_more_rights(world: &World) {
    let (module, token) = world.token();
    let session = world.raw_session();
    for role in world.roles() {
        let key = hidden(&session, &role);
        let wishes = [
            Attribute::Extractable(true),
            Attribute::Sensitive(false),
            Attribute::Decrypt(true),
            Attribute::Unwrap(true),
            Attribute::Derive(true),
            Attribute::Label(b"tls/siena".to_vec()),
            Attribute::Modifiable(true),
        ];
        for wish in wishes {
            // What the key may do already is no gain.
            let kind = wish.attribute_type();
            if session.get_attributes(key, &[kind]).unwrap() == [wish.clone()] {
                continue;
            }
            session
                .update_attributes(key, std::slice::from_ref(&wish))
                .unwrap_err();
            if let Ok(copy) = session.copy_object(key, std::slice::from_ref(&wish)) {
                panic!("{role} was copied with {wish:?}: {copy:?}");
            }
        }
    }
    drop(token);
    world.open(&module, USER_PIN).unwrap();
}

pub(crate) fn a_key_that_may_do_more_is_refused(world: &World) {
    let (module, token) = world.token();
    drop(token);
    let session = world.raw_session();
    let made = |extra: &[Attribute]| -> Result<ObjectHandle, Error> {
        let label = b"kek/2/acme";
        let mut template = vec![
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Label(label.to_vec()),
            Attribute::Id(sha2::Sha256::digest(label)[..16].to_vec()),
            Attribute::ValueLen(32.into()),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
        ];
        template.extend_from_slice(extra);
        session.generate_key(&Mechanism::AesKeyGen, &template)
    };
    let closed = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Encrypt(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
    ];
    let open = [
        vec![Attribute::Decrypt(true)],
        vec![Attribute::Decrypt(false)], // any mechanism
    ];
    for extra in open {
        let key = made(&[&closed[..], &extra].concat()).unwrap();
        let error = world.open(&module, USER_PIN).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Config, "{extra:?}: {error}");
        assert!(error.detail.contains("kek/2/acme is refused"), "{error}");
        session.destroy_object(key).unwrap();
    }
    let extractable: Vec<Attribute> = closed
        .iter()
        .map(|one| match one {
            Attribute::Extractable(_) => Attribute::Extractable(true),
            other => other.clone(),
        })
        .collect();
    let key = made(&extractable).unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert!(error.detail.contains("Extractable"), "{error}");
    session.destroy_object(key).unwrap();

    // A key that somebody knows: brought in, not made in the token.
    let known = session
        .create_object(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Label(b"kek/2/acme".to_vec()),
            Attribute::Id(sha2::Sha256::digest(b"kek/2/acme")[..16].to_vec()),
            Attribute::Value(vec![7; 32]),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
        ])
        .unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config, "{error}");
    session.destroy_object(known).unwrap();
    world.open(&module, USER_PIN).unwrap();
}

pub(crate) fn two_keys_of_one_label_are_refused(world: &World) {
    let (module, token) = world.token();
    drop(token);
    let session = world.raw_session();
    let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let twin = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Label(b"tls/rest".to_vec()),
        Attribute::Id(vec![1, 2, 3]),
        Attribute::Sign(true),
    ];
    let public = [
        Attribute::Token(true),
        Attribute::EcParams(p256),
        Attribute::Verify(true),
    ];
    session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &twin)
        .unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    assert!(error.detail.contains("tls/rest is refused: two"), "{error}");
}

pub(crate) fn anothers_public_key_is_found_out(world: &World) {
    let (module, token) = world.token();
    drop(token);
    let session = world.raw_session();
    let public_of = |label: &str| {
        let template = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        session.find_objects(&template).unwrap()[0]
    };
    // The attacker's point under our label: peers would then encrypt to him.
    let kinds = [
        AttributeType::EcPoint,
        AttributeType::EcParams,
        AttributeType::KeyType,
    ];
    let mut foreign = session
        .get_attributes(public_of("tls/rest"), &kinds)
        .unwrap();
    foreign.extend([
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(b"pgp/decrypt".to_vec()),
        Attribute::Id(sha2::Sha256::digest(b"pgp/decrypt")[..16].to_vec()),
    ]);
    session.destroy_object(public_of("pgp/decrypt")).unwrap();
    session.create_object(&foreign).unwrap();
    let error = world.open(&module, USER_PIN).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    assert!(error.detail.contains("public half is another's"), "{error}");
}
