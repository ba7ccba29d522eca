//! Signatures beside the rules' files: at a node's founding the first officers'
//! keys are still here, and sign what they found. Later each officer signs with
//! his or her own key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chancery_machine::SystemClock;
use chancery_message::{Clock as _, OfficerId};
use chancery_pipeline::rulebook::RuleText;
use chancery_policy::approval::{Record, Signed, Vote};
use chancery_policy::directory::{Directory, Role};
use chancery_policy::widening::QUORUM;
use chancery_settings::Settings;
use p256::ecdsa::SigningKey;
use p256::pkcs8::DecodePrivateKey as _;

use crate::failure::{Failure, failed};
use crate::own_key::OfficerKey;
use crate::{files, policy};

/// Largest document.
const MOST: u64 = 16 * 1024 * 1024;
/// How long a signature may wait until the node takes it in.
const GOOD_FOR: std::time::Duration = std::time::Duration::from_secs(24 * 3600 - 60);

/// Who signs.
pub(crate) struct Signer {
    pub(crate) id: OfficerId,
    pub(crate) key: OfficerKey,
}

/// A file of rules, and where its signatures stand.
pub(crate) struct Ruled {
    pub(crate) rule: RuleText,
    pub(crate) signatures: PathBuf,
}

/// The rules' files of a node.
pub(crate) fn ruled(settings: &Settings) -> Result<Vec<Ruled>, Failure> {
    let rules = &settings.rules;
    let beside = |file: &Path| {
        let mut name = file.as_os_str().to_owned();
        name.push(".sig");
        PathBuf::from(name)
    };
    let mut all = vec![
        Ruled {
            rule: RuleText::participants(files::text(&rules.participants, MOST)?),
            signatures: beside(&rules.participants),
        },
        Ruled {
            rule: RuleText::officers(files::text(&rules.officers, MOST)?),
            signatures: beside(&rules.officers),
        },
        Ruled {
            rule: RuleText::policies(&policy::set_of(&rules.policies)?),
            signatures: beside(&rules.policies),
        },
    ];
    let empty = std::fs::read_dir(&rules.mous).is_ok_and(|mut entries| {
        entries.all(|entry| {
            entry.is_ok_and(|entry| !entry.file_name().to_string_lossy().ends_with(".toml"))
        })
    });
    if !empty {
        for (name, text) in policy::folder_of(&rules.mous, ".toml")? {
            let file = rules.mous.join(&name);
            all.push(Ruled {
                rule: RuleText::mou(&name, text)
                    .map_err(|error| Failure::new(error.to_string()))?,
                signatures: beside(&file),
            });
        }
    }
    Ok(all)
}

/// Signs every file of rules that these have not signed as it is now; how many
/// signatures were added.
pub(crate) fn sign(settings: &Settings, signers: &[Signer]) -> Result<usize, Failure> {
    let mut added = 0;
    for one in ruled(settings)? {
        let digest = one.rule.digest();
        let mut kept: Vec<Signed> = files::text(&one.signatures, MOST)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        kept.retain(|signed| {
            signed.record.digest == digest && signed.record.node == settings.node.name
        });
        let before = kept.len();
        let by: BTreeSet<OfficerId> = kept.iter().map(|signed| signed.officer().clone()).collect();
        for signer in signers.iter().filter(|signer| !by.contains(&signer.id)) {
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce).map_err(failed("the system gives no random bytes"))?;
            let record = Record {
                node: settings.node.name.clone(),
                operation: one.rule.operation().to_owned(),
                digest,
                vote: Vote::Approve,
                nonce,
                not_after: SystemClock.now().after(GOOD_FOR),
            };
            kept.push(
                record
                    .sign(signer.id.clone(), &signer.key)
                    .map_err(failed("the signature"))?,
            );
        }
        if kept.len() > before {
            added += kept.len() - before;
            write(&one.signatures, &kept)?;
        }
    }
    Ok(added)
}

/// Writes a signature file.
fn write<T: serde::Serialize>(file: &Path, signatures: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(signatures).map_err(failed("the signatures"))?;
    files::replace(file, 0o600, text.as_bytes())
}

/// Signs with the keys of the first security officers, while they and their
/// passphrase are still on this machine. False where they are not: then the
/// officers sign with their own keys.
pub(crate) fn here(config: &Path) -> Result<bool, Failure> {
    let settings = Settings::load(config).map_err(|error| Failure::new(error.to_string()))?;
    let folder = config.parent().unwrap_or(Path::new(".")).join("officers");
    let Ok(passphrase) = files::text(&folder.join("passphrase"), 1 << 12) else {
        return Ok(false);
    };
    let passphrase = zeroize::Zeroizing::new(passphrase);
    let directory = Directory::from_toml(
        0,
        &files::text(&settings.rules.participants, MOST)?,
        &files::text(&settings.rules.officers, MOST)?,
    )
    .map_err(|error| Failure::new(error.to_string()))?;
    let now = SystemClock.now();
    let mut signers = Vec::new();
    for officer in directory.at(now).officers() {
        if signers.len() == QUORUM {
            break;
        }
        if !officer.roles.contains(&Role::Security) {
            continue;
        }
        let Ok(pem) = files::text(&folder.join(format!("{}.key", officer.id)), 1 << 16) else {
            continue;
        };
        let pem = zeroize::Zeroizing::new(pem);
        let key =
            SigningKey::from_pkcs8_encrypted_pem(&pem, passphrase.trim_end_matches(['\r', '\n']))
                .map_err(|_| Failure::new("an officer's key cannot be opened"))?;
        signers.push(Signer {
            id: officer.id.clone(),
            key: OfficerKey::File(key),
        });
    }
    if signers.len() < QUORUM {
        return Ok(false);
    }
    sign(&settings, &signers)?;
    Ok(true)
}

/// What is to be done after a file of rules was changed.
pub(crate) const fn next(signed: bool) -> &'static str {
    if signed {
        "A running node reads it at SIGHUP"
    } else {
        "Two security officers sign it (chancery officer sign), then a running node reads it at SIGHUP"
    }
}
