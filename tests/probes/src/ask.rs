//! What would be asked of the custodian: the keys of others.

use std::time::Duration;

use chancery_hsm_api::KeyRole;
use chancery_hsm_api::{
    CheckpointRequest, Checkpoints as _, ContentKeys as _, DoorZone, KekId, KeyError, KeyErrorKind,
    MacUse, Macs as _, PgpDecryption as _, PgpSigning as _, PublicKeys as _, TlsSigning as _,
};
use chancery_hsm_custodian::CustodyClient;
use chancery_ipc::{Limits, Links, Tag, blocking::Channel};

/// Every use of a key that is not the asker's own. `own` is the zone whose TLS
/// key the asker may use, if any; `opens_mail` whether it may decrypt.
#[must_use]
pub fn all(
    custody: &CustodyClient,
    own: Option<DoorZone>,
    opens_mail: bool,
) -> Vec<(String, Result<(), String>)> {
    let kek = KekId::Intake;
    let mut asked = vec![
        (
            "wrap".to_owned(),
            denied(custody.new_content_key(&kek).map(drop)),
        ),
        (
            "mac".to_owned(),
            denied(custody.mac(MacUse::Row, b"x").map(drop)),
        ),
        (
            "sign-mail".to_owned(),
            denied(custody.pgp_sign(&[0; 32]).map(drop)),
        ),
        (
            "sign-log".to_owned(),
            denied(
                custody
                    .sign_checkpoint(&CheckpointRequest {
                        origin: "chancery/node-1".to_owned(),
                        size: 1,
                        root: [0; 32],
                        consistency: Vec::new(),
                    })
                    .map(drop),
            ),
        ),
        (
            "key-of-the-log".to_owned(),
            denied(custody.public_key(&KeyRole::AuditCheckpoint).map(drop)),
        ),
    ];
    if !opens_mail {
        asked.push((
            "decrypt-mail".to_owned(),
            denied(custody.pgp_agree(&[4; 65]).map(drop)),
        ));
    }
    for zone in DoorZone::ALL {
        if own != Some(zone) {
            asked.push((
                format!("tls-{zone}"),
                denied(custody.tls_sign(zone, &handshake()).map(drop)),
            ));
        }
    }
    asked
}

/// What a TLS 1.3 server signs.
fn handshake() -> Vec<u8> {
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[0xa5; 32]);
    message
}

/// Refused by the role table, and nothing else, counts as refused.
fn denied(answer: Result<(), KeyError>) -> Result<(), String> {
    match answer {
        Err(error) if error.kind == KeyErrorKind::Denied => Err("denied".to_owned()),
        Err(error) => {
            // Neither done nor denied: the test must see that.
            Err(format!("not denied but: {error}"))
        }
        Ok(()) => Ok(()),
    }
}

/// Whether there is a link of that name at all, within a moment.
///
/// # Errors
/// Why there is none.
pub fn link(links: &Links, name: &'static str) -> Result<(), String> {
    let channel = Channel::new(links, Tag::fixed(name), Limits::secret())
        .map_err(|error| error.to_string())?;
    channel
        .roundtrip(&[0], Duration::from_millis(500))
        .map(drop)
        .map_err(|error| error.to_string())
}
