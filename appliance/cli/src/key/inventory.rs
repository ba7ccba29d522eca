//! The cryptographic inventory as a CycloneDX 1.6 bill of materials (CBOM):
//! every key of the register, every certificate, the algorithms that they use
//! and the protocols that the doors speak.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_hsm_api::KeyRole;
use chancery_hsm_custodian::{KeyCard, KeyState};
use chancery_machine::SystemClock;
use chancery_message::{Clock as _, Timestamp};
use chancery_settings::Settings;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use x509_parser::prelude::FromDer as _;

use super::{dossier::settings, show};
use crate::failure::{Failure, failed};
use crate::officers::Desk;
use crate::{files, out};

/// Largest file of certificates.
const MOST: u64 = 16 * 1024 * 1024;

/// Prints it.
pub(super) fn print(desk: &Desk) -> Result<(), Failure> {
    let settings = settings(desk)?;
    let now = SystemClock.now();
    let mut components = BTreeMap::new();
    for card in show::cards(desk)? {
        let (reference, component) = of_key(&card, now);
        components.insert(reference, component);
    }
    for (name, component) in algorithms() {
        components.insert(name, component);
    }
    for (file, use_) in certificate_files(&settings) {
        of_certificates(file, use_, &mut components)?;
    }
    if settings.doors.siena.is_some() || settings.doors.rest.is_some() {
        let (name, component) = tls();
        components.insert(name, component);
    }
    let components: Vec<Value> = components.into_values().collect();
    out::json(&bill(&settings.node.name, now, &components)?)
}

/// The document around the components.
fn bill(node: &str, now: Timestamp, components: &[Value]) -> Result<Value, Failure> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(failed("the system gives no random bytes"))?;
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", uuid::Builder::from_random_bytes(id).into_uuid()),
        "version": 1,
        "metadata": {
            "timestamp": now.to_string(),
            "tools": { "components": [{
                "type": "application", "name": "chancery", "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": { "type": "application", "bom-ref": "node", "name": node },
        },
        "components": components,
    }))
}

fn of_key(card: &KeyCard, now: Timestamp) -> (String, Value) {
    let reference = format!("key/{}/{}", card.role, card.generation);
    let (algorithm, material, bits) = match &card.role {
        KeyRole::Kek(_) => ("algorithm/aes-256-kw", "secret-key", 256),
        KeyRole::Mac(_) => ("algorithm/hmac-sha-256", "secret-key", 256),
        KeyRole::PgpDecrypt => ("algorithm/ecdh-p-256", "private-key", 256),
        KeyRole::AuditCheckpoint | KeyRole::PgpSign | KeyRole::Tls(_) => {
            ("algorithm/ecdsa-p-256", "private-key", 256)
        }
    };
    let state = match card.state(now.as_micros()) {
        KeyState::PreActive => "pre-activation",
        KeyState::Active => "active",
        KeyState::Deactivated | KeyState::Ended => "deactivated",
        KeyState::Destroyed => "destroyed",
    };
    let mut properties = json!({
        "type": material,
        "id": format!("{}#{}", card.role, card.generation),
        "state": state,
        "algorithmRef": algorithm,
        "creationDate": Timestamp::from_micros(card.made_at).to_string(),
        "size": bits,
        "securedBy": { "mechanism": "HSM" },
    });
    let mut add = |name: &str, at: Option<i64>| {
        if let (Some(at), Some(object)) = (at, properties.as_object_mut()) {
            let text = Timestamp::from_micros(at).to_string();
            object.insert(name.to_owned(), text.into());
        }
    };
    add("activationDate", card.active_from);
    add("expirationDate", card.make_until);
    let component = json!({
        "type": "cryptographic-asset",
        "bom-ref": reference,
        "name": card.role.to_string(),
        "cryptoProperties": {
            "assetType": "related-crypto-material",
            "relatedCryptoMaterialProperties": properties,
        },
    });
    (reference, component)
}

/// Id, name, primitive, parameters, functions, classical bits, quantum category.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    u16,
    u8,
);

/// What the keys, the sealed format and the doors use.
fn algorithms() -> Vec<(String, Value)> {
    let rows: [Row; 11] = [
        (
            "aes-256-kw",
            "AES-256 key wrap (RFC 3394)",
            "other",
            "256",
            &["encrypt", "decrypt"],
            256,
            5,
        ),
        (
            "aes-256-gcm",
            "AES-256-GCM",
            "ae",
            "256",
            &["encrypt", "decrypt"],
            256,
            5,
        ),
        (
            "hmac-sha-256",
            "HMAC-SHA-256",
            "mac",
            "256",
            &["tag"],
            256,
            5,
        ),
        (
            "hkdf-sha-256",
            "HKDF-SHA-256",
            "kdf",
            "256",
            &["keyderive"],
            256,
            5,
        ),
        ("sha-256", "SHA-256", "hash", "256", &["digest"], 128, 2),
        (
            "ecdsa-p-256",
            "ECDSA P-256",
            "signature",
            "P-256",
            &["keygen", "sign", "verify"],
            128,
            0,
        ),
        (
            "ecdh-p-256",
            "ECDH P-256",
            "key-agree",
            "P-256",
            &["keygen", "keyderive"],
            128,
            0,
        ),
        (
            "ecdh-x25519",
            "ECDH X25519",
            "key-agree",
            "X25519",
            &["keygen", "keyderive"],
            128,
            0,
        ),
        (
            "ecdh-p-384",
            "ECDH P-384",
            "key-agree",
            "P-384",
            &["keygen", "keyderive"],
            192,
            0,
        ),
        (
            "secp256r1mlkem768",
            "SecP256r1MLKEM768",
            "combiner",
            "768",
            &["keygen", "encapsulate", "decapsulate"],
            128,
            3,
        ),
        (
            "x25519mlkem768",
            "X25519MLKEM768",
            "combiner",
            "768",
            &["keygen", "encapsulate", "decapsulate"],
            128,
            3,
        ),
    ];
    rows.into_iter()
        .map(
            |(id, name, primitive, set, functions, classical, quantum)| {
                let reference = format!("algorithm/{id}");
                let component = json!({
                    "type": "cryptographic-asset",
                    "bom-ref": reference,
                    "name": name,
                    "cryptoProperties": {
                        "assetType": "algorithm",
                        "algorithmProperties": {
                            "primitive": primitive,
                            "parameterSetIdentifier": set,
                            "cryptoFunctions": functions,
                            "classicalSecurityLevel": classical,
                            "nistQuantumSecurityLevel": quantum,
                        },
                    },
                });
                (reference, component)
            },
        )
        .collect()
}

fn tls() -> (String, Value) {
    let reference = "protocol/tls-1.3".to_owned();
    let component = json!({
        "type": "cryptographic-asset",
        "bom-ref": reference,
        "name": "TLS 1.3 with client certificates",
        "cryptoProperties": {
            "assetType": "protocol",
            "protocolProperties": {
                "type": "tls",
                "version": "1.3",
                "cipherSuites": [
                    { "name": "TLS_AES_256_GCM_SHA384", "algorithms": ["algorithm/aes-256-gcm"] },
                ],
                "cryptoRefArray": [
                    "algorithm/x25519mlkem768", "algorithm/secp256r1mlkem768",
                    "algorithm/ecdh-x25519", "algorithm/ecdh-p-256", "algorithm/ecdh-p-384",
                    "algorithm/ecdsa-p-256",
                ],
            },
        },
    });
    (reference, component)
}

fn certificate_files(settings: &Settings) -> Vec<(&Path, &'static str)> {
    let doors = &settings.doors;
    let mut files: Vec<(&Path, &str)> = Vec::new();
    if let Some(mail) = &doors.mail {
        files.push((&mail.certificate, "mail door"));
        files.extend(mail.relay_ca.as_deref().map(|ca| (ca, "mail relay")));
    }
    for (name, door) in [("siena door", &doors.siena), ("rest door", &doors.rest)] {
        if let Some(door) = door {
            files.push((&door.certificate, name));
            files.push((&door.client_ca, "clients"));
        }
    }
    files
}

fn of_certificates(
    file: &Path,
    usage: &str,
    components: &mut BTreeMap<String, Value>,
) -> Result<(), Failure> {
    let pem = files::read(file, MOST)?;
    for one in CertificateDer::pem_slice_iter(&pem) {
        let der = one.map_err(failed(file.display()))?;
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(&der)
            .map_err(failed(file.display()))?;
        let at =
            |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000)).to_string();
        let reference = format!("certificate/{}", parsed.raw_serial_as_string());
        let component = json!({
            "type": "cryptographic-asset",
            "bom-ref": reference,
            "name": format!("{} ({usage})", parsed.subject()),
            "cryptoProperties": {
                "assetType": "certificate",
                "certificateProperties": {
                    "subjectName": parsed.subject().to_string(),
                    "issuerName": parsed.issuer().to_string(),
                    "notValidBefore": at(parsed.validity().not_before.timestamp()),
                    "notValidAfter": at(parsed.validity().not_after.timestamp()),
                    "certificateFormat": "X.509",
                },
                "oid": parsed.signature_algorithm.algorithm.to_id_string(),
            },
        });
        components.insert(reference, component);
    }
    Ok(())
}
