//! By which algorithms mail is protected, told as the cryptographic policy
//! names them: partners of today with the real GnuPG.
#![allow(clippy::unwrap_used, reason = "tests")]
#![forbid(unsafe_code)]

mod support;

use chancery_mail::content::certificate::algorithms;
use support::mail::{ALICE, INNER, World, mail};
use support::soft::now;

#[test]
fn mail_of_gnupg_tells_its_algorithms() {
    for (algorithm, signing, encryption) in [
        ("ed25519", "ed25519", "cv25519"),
        ("nistp256", "p256", "p256"),
        ("nistp384", "p384", "p384"),
        ("rsa3072", "rsa3072", "rsa3072"),
        ("rsa4096", "rsa4096", "rsa4096"),
    ] {
        let (world, alice) = World::with_alice(algorithm);
        let read = world.whole(&mail(&alice, INNER));
        let used = read.protection.unwrap();
        assert_eq!(used.signing, [signing], "{algorithm}");
        assert_eq!(used.encryption, ["p256"], "the gateway's own key");
        assert_eq!(used.symmetric.as_deref(), Some("aes256"), "{algorithm}");
        assert!(
            used.hash
                .as_deref()
                .is_some_and(|hash| hash.starts_with("sha")),
            "{algorithm}: {:?}",
            used.hash
        );
        // And what would be used towards it.
        let towards = algorithms(&alice.export(ALICE), now()).unwrap();
        assert_eq!(towards.encryption, [encryption], "{algorithm}");
        assert_eq!(towards.signing, ["p256"]);
        assert_eq!(towards.symmetric.as_deref(), Some("aes256"));
        assert_eq!(towards.hash.as_deref(), Some("sha256"));
    }
}
