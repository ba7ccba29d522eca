//! What the token can do, and that it is told truly.

use std::process::Command;

use chancery_hsm_api::{
    Capability, ContentKeys as _, Inventory as _, KekId, KeyErrorKind, KeyRole, WrapScheme,
    WrappedKey,
};

use super::{FOLDER, Kind, Profile, USER_PIN, World, initialise};

/// Plans by name that this token serves.
fn served(world: &World) -> Vec<&'static str> {
    let padded = world.kind == Kind::Softhsm;
    let wraps: &[&str] = match world.profile {
        Profile::Whole | Profile::Faulty if padded => {
            &["aes-kw", "aes-kwp", "aes-gcm", "rsa-oaep-sha1"]
        }
        // Its own number of key wrap with padding (0x210B) is unknown to the
        // library that speaks to the token.
        Profile::Whole | Profile::Faulty => &["aes-kw", "aes-gcm", "rsa-oaep-sha1"],
        Profile::Padded => &["aes-kwp", "aes-gcm", "rsa-oaep-sha1"],
        Profile::NoWrapNoDerive => &["aes-gcm", "rsa-oaep-sha1"],
        Profile::Old => &["rsa-oaep-sha1"],
    };
    let mut all = wraps.to_vec();
    all.extend(["hmac-sha256", "ecdsa-p256"]);
    if world.profile != Profile::NoWrapNoDerive {
        all.push("ecdh-p256");
    }
    all
}

pub(crate) fn the_matrix_tells_what_there_is(world: &World) {
    let (_module, token) = world.token();
    let matrix = token.try_all_plans().unwrap();
    let names = |which: fn(&Capability) -> bool| -> Vec<&str> {
        let rows = matrix.iter().filter(|row| which(row));
        rows.map(|row| row.plan.as_str()).collect()
    };
    assert_eq!(names(|row| row.works == Some(true)), served(world));
    // What does not work says which mechanism is missing.
    for row in matrix.iter().filter(|row| row.works != Some(true)) {
        assert!(row.why_not().contains("lacks CKM_"), "{row:?}");
    }
    let chosen = names(|row| row.chosen);
    assert_eq!(chosen.first(), Some(&world.scheme().0.to_string().as_str()));
    assert_eq!(
        chosen.len(),
        served(world).len() - names(|row| row.roles == "kek" && row.works == Some(true)).len() + 1
    );
    // What was found at the start says the same of what it tried.
    for (early, late) in token.capabilities().iter().zip(&matrix) {
        assert_eq!((early.chosen, &early.missing), (late.chosen, &late.missing));
        assert!(early.works.is_none_or(|works| Some(works) == late.works));
    }
}

pub(crate) fn what_cannot_be_served_is_named(world: &World) {
    let module = world.module();
    initialise(&module);
    let token = world.open(&module, USER_PIN).unwrap();
    let made = token.provision(&[KeyRole::PgpDecrypt].into());
    if world.profile == Profile::NoWrapNoDerive {
        let error = made.unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Unsupported);
        assert!(
            error.detail.contains("cannot serve pgp/decrypt")
                && error.detail.contains("CKM_ECDH1_DERIVE"),
            "{error}"
        );
        assert_eq!(token.keys().unwrap(), [], "and nothing was made");
    } else {
        assert_eq!(made.unwrap().len(), 1);
    }
}

/// Keys that were wrapped while the token was poorer open when it is whole.
pub(crate) fn what_was_wrapped_otherwise_still_opens(world: &World) {
    let note = world.folder.join("wrapped");
    if let Ok(text) = std::fs::read_to_string(&note) {
        // The same token, seen through the shim that now hides nothing.
        let module = world.module();
        let token = world.open(&module, USER_PIN).unwrap();
        let (blob, key) = text.split_once(' ').unwrap();
        let old = WrappedKey {
            kek: KekId::Intake,
            generation: 1,
            scheme: world.scheme().0,
            blob: hex::decode(blob).unwrap(),
        };
        assert_eq!(hex::encode(token.unwrap_key(&old).unwrap().expose()), key);
        // A key that is made now is made the better way, and takes it over.
        let fresh = KekId::Label {
            rank: 4,
            compartment: "acme".parse().unwrap(),
        };
        token
            .provision(&[KeyRole::Kek(fresh.clone())].into())
            .unwrap();
        let moved = token.rewrap_key(&old, &fresh).unwrap();
        assert_eq!((moved.scheme, moved.blob.len()), (WrapScheme::AesKw, 40));
        assert_eq!(hex::encode(token.unwrap_key(&moved).unwrap().expose()), key);
        return;
    }
    let (_module, token) = world.token();
    let (key, wrapped) = token.new_content_key(&KekId::Intake).unwrap();
    drop(token);
    let text = format!(
        "{} {}",
        hex::encode(&wrapped.blob),
        hex::encode(key.expose())
    );
    std::fs::write(&note, text).unwrap();
    let conf = world.folder.join("shim.conf");
    let whole: String = std::fs::read_to_string(&conf)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("module"))
        .collect();
    std::fs::write(&conf, whole).unwrap();
    let again = Command::new(std::env::current_exe().unwrap())
        .args([
            "what_was_wrapped_otherwise_still_opens",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, &world.folder)
        .output()
        .unwrap();
    assert!(
        again.status.success(),
        "{}{}",
        String::from_utf8_lossy(&again.stdout),
        String::from_utf8_lossy(&again.stderr)
    );
}
