//! Whether a document is a CycloneDX 1.6 bill of materials as far as we write
//! one: the members, words and forms that the specification (ECMA-424, JSON
//! form of version 1.6) allows for cryptographic assets, and references that
//! lead somewhere. Written from the specification; its schema is not used.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Everything that is wrong, each with its place.
pub fn problems(document: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.document(document);
    let missing: Vec<String> = check
        .used
        .iter()
        .filter(|(_, to)| !check.references.contains(to))
        .map(|(at, to)| format!("{at}: `{to}` is no bom-ref of the document"))
        .collect();
    check.wrong.extend(missing);
    check.wrong
}

#[derive(Default)]
struct Check {
    wrong: Vec<String>,
    references: BTreeSet<String>,
    used: Vec<(String, String)>,
}

/// Members that an object may have, those with `!` must be there.
type Members = &'static [&'static str];

const DOCUMENT: Members = &[
    "!bomFormat",
    "!specVersion",
    "serialNumber",
    "version",
    "metadata",
    "components",
];
const METADATA: Members = &["timestamp", "tools", "component"];
const COMPONENT: Members = &[
    "!type",
    "!name",
    "bom-ref",
    "version",
    "description",
    "cryptoProperties",
];
const PROPERTIES: Members = &[
    "!assetType",
    "algorithmProperties",
    "certificateProperties",
    "relatedCryptoMaterialProperties",
    "protocolProperties",
    "oid",
];
const ALGORITHM: Members = &[
    "primitive",
    "parameterSetIdentifier",
    "curve",
    "executionEnvironment",
    "mode",
    "padding",
    "cryptoFunctions",
    "classicalSecurityLevel",
    "nistQuantumSecurityLevel",
];
const CERTIFICATE: Members = &[
    "subjectName",
    "issuerName",
    "notValidBefore",
    "notValidAfter",
    "signatureAlgorithmRef",
    "subjectPublicKeyRef",
    "certificateFormat",
    "certificateExtension",
];
const MATERIAL: Members = &[
    "type",
    "id",
    "state",
    "algorithmRef",
    "creationDate",
    "activationDate",
    "updateDate",
    "expirationDate",
    "size",
    "format",
    "securedBy",
];
const PROTOCOL: Members = &["type", "version", "cipherSuites", "cryptoRefArray"];

const PRIMITIVES: &[&str] = &[
    "drbg",
    "mac",
    "block-cipher",
    "stream-cipher",
    "signature",
    "hash",
    "pke",
    "xof",
    "kdf",
    "key-agree",
    "kem",
    "ae",
    "combiner",
    "other",
    "unknown",
];
const FUNCTIONS: &[&str] = &[
    "generate",
    "keygen",
    "encrypt",
    "decrypt",
    "digest",
    "tag",
    "keyderive",
    "sign",
    "verify",
    "encapsulate",
    "decapsulate",
    "other",
    "unknown",
];
const MATERIALS: &[&str] = &[
    "private-key",
    "public-key",
    "secret-key",
    "key",
    "ciphertext",
    "signature",
    "digest",
    "initialization-vector",
    "nonce",
    "seed",
    "salt",
    "shared-secret",
    "tag",
    "additional-data",
    "password",
    "credential",
    "token",
    "other",
    "unknown",
];
const STATES: &[&str] = &[
    "pre-activation",
    "active",
    "suspended",
    "deactivated",
    "compromised",
    "destroyed",
];
const PROTOCOLS: &[&str] = &[
    "tls", "ssh", "ipsec", "ike", "sstp", "wpa", "other", "unknown",
];

impl Check {
    fn say(&mut self, at: &str, what: impl std::fmt::Display) {
        self.wrong.push(format!("{at}: {what}"));
    }

    fn object<'v>(
        &mut self,
        at: &str,
        value: &'v Value,
        members: Members,
    ) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.as_object() else {
            self.say(at, "not an object");
            return None;
        };
        for name in object.keys() {
            if !members
                .iter()
                .any(|one| one.trim_start_matches('!') == name)
            {
                self.say(at, format_args!("no member `{name}` is allowed here"));
            }
        }
        for needed in members.iter().filter_map(|one| one.strip_prefix('!')) {
            if !object.contains_key(needed) {
                self.say(at, format_args!("`{needed}` is missing"));
            }
        }
        Some(object)
    }

    fn word(&mut self, at: &str, value: Option<&Value>, words: &[&str]) {
        if let Some(value) = value
            && !value.as_str().is_some_and(|word| words.contains(&word))
        {
            self.say(at, format_args!("{value} is none of {}", words.join(", ")));
        }
    }

    fn text(&mut self, at: &str, value: Option<&Value>) {
        if value.is_some_and(|value| !value.is_string()) {
            self.say(at, "not a text");
        }
    }

    fn number(&mut self, at: &str, value: Option<&Value>, most: u64) {
        if value.is_some_and(|value| value.as_u64().is_none_or(|number| number > most)) {
            self.say(at, format_args!("not a whole number of at most {most}"));
        }
    }

    /// RFC 3339, as JSON Schema's `date-time`.
    fn time(&mut self, at: &str, value: Option<&Value>) {
        let good = |text: &str| {
            let bytes = text.as_bytes();
            let digits = |from: usize, to: usize| {
                bytes
                    .get(from..to)
                    .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
            };
            digits(0, 4)
                && digits(5, 7)
                && digits(8, 10)
                && digits(11, 13)
                && digits(14, 16)
                && digits(17, 19)
                && bytes.get(10) == Some(&b'T')
                && text.ends_with('Z')
        };
        if let Some(value) = value
            && !value.as_str().is_some_and(good)
        {
            self.say(at, format_args!("{value} is not a time"));
        }
    }

    fn reference(&mut self, at: &str, value: Option<&Value>) {
        match value.map(Value::as_str) {
            Some(Some(to)) if !to.is_empty() => self.used.push((at.to_owned(), to.to_owned())),
            Some(_) => self.say(at, "not a reference"),
            None => {}
        }
    }

    fn references(&mut self, at: &str, value: Option<&Value>) {
        for one in self.list(at, value) {
            self.reference(at, Some(one));
        }
    }

    fn list<'v>(&mut self, at: &str, value: Option<&'v Value>) -> &'v [Value] {
        match value {
            None => &[],
            Some(Value::Array(all)) => all,
            Some(_) => {
                self.say(at, "not a list");
                &[]
            }
        }
    }

    fn document(&mut self, document: &Value) {
        let Some(whole) = self.object("document", document, DOCUMENT) else {
            return;
        };
        self.word("bomFormat", whole.get("bomFormat"), &["CycloneDX"]);
        self.word("specVersion", whole.get("specVersion"), &["1.6"]);
        self.number("version", whole.get("version"), u64::MAX);
        let serial = whole.get("serialNumber").and_then(Value::as_str);
        if !serial.is_some_and(is_serial) {
            self.say("serialNumber", "not urn:uuid:UUID in lower case");
        }
        if let Some(metadata) = whole
            .get("metadata")
            .and_then(|value| self.object("metadata", value, METADATA))
        {
            self.time("metadata.timestamp", metadata.get("timestamp"));
            if let Some(own) = metadata.get("component") {
                self.component("metadata.component", own);
            }
            if let Some(tools) = metadata
                .get("tools")
                .and_then(|value| self.object("metadata.tools", value, &["components"]))
            {
                for tool in self.list("metadata.tools", tools.get("components")) {
                    self.component("metadata.tools", tool);
                }
            }
        }
        for one in self.list("components", whole.get("components")) {
            let at = one
                .get("bom-ref")
                .and_then(Value::as_str)
                .unwrap_or("a component");
            self.component(at, one);
        }
    }

    fn component(&mut self, at: &str, value: &Value) {
        let Some(component) = self.object(at, value, COMPONENT) else {
            return;
        };
        let types = ["application", "library", "device", "cryptographic-asset"];
        self.word(at, component.get("type"), &types);
        self.text(at, component.get("name"));
        if let Some(reference) = component.get("bom-ref").and_then(Value::as_str)
            && !self.references.insert(reference.to_owned())
        {
            self.say(at, "another component has this bom-ref");
        }
        let asset = component.get("type").and_then(Value::as_str) == Some("cryptographic-asset");
        match component.get("cryptoProperties") {
            Some(properties) if asset => self.properties(at, properties),
            Some(_) => self.say(at, "cryptoProperties of what is no cryptographic asset"),
            None if asset => self.say(at, "a cryptographic asset without cryptoProperties"),
            None => {}
        }
    }

    fn properties(&mut self, at: &str, value: &Value) {
        let Some(properties) = self.object(at, value, PROPERTIES) else {
            return;
        };
        let kinds = [
            ("algorithm", "algorithmProperties"),
            ("certificate", "certificateProperties"),
            ("related-crypto-material", "relatedCryptoMaterialProperties"),
            ("protocol", "protocolProperties"),
        ];
        let kind = properties.get("assetType");
        self.word(at, kind, &kinds.map(|(kind, _)| kind));
        for (name, member) in kinds {
            let is = kind.and_then(Value::as_str) == Some(name);
            if is != properties.contains_key(member) {
                self.say(
                    at,
                    format_args!("`{member}` does not go with its asset type"),
                );
            }
        }
        let oid = properties.get("oid");
        if oid.is_some_and(|oid| !oid.as_str().is_some_and(is_oid)) {
            self.say(at, "not an object identifier");
        }
        let get = |name: &str| properties.get(name);
        if let Some(of) = get("algorithmProperties").and_then(|of| self.object(at, of, ALGORITHM)) {
            self.word(at, of.get("primitive"), PRIMITIVES);
            self.text(at, of.get("parameterSetIdentifier"));
            self.text(at, of.get("curve"));
            self.number(at, of.get("classicalSecurityLevel"), u64::MAX);
            self.number(at, of.get("nistQuantumSecurityLevel"), 6);
            for one in self.list(at, of.get("cryptoFunctions")) {
                self.word(at, Some(one), FUNCTIONS);
            }
        }
        if let Some(of) =
            get("certificateProperties").and_then(|of| self.object(at, of, CERTIFICATE))
        {
            for name in ["subjectName", "issuerName", "certificateFormat"] {
                self.text(at, of.get(name));
            }
            for name in ["notValidBefore", "notValidAfter"] {
                self.time(at, of.get(name));
            }
            for name in ["signatureAlgorithmRef", "subjectPublicKeyRef"] {
                self.reference(at, of.get(name));
            }
        }
        if let Some(of) =
            get("relatedCryptoMaterialProperties").and_then(|of| self.object(at, of, MATERIAL))
        {
            self.word(at, of.get("type"), MATERIALS);
            self.word(at, of.get("state"), STATES);
            self.text(at, of.get("id"));
            self.number(at, of.get("size"), u64::MAX);
            self.reference(at, of.get("algorithmRef"));
            for name in [
                "creationDate",
                "activationDate",
                "updateDate",
                "expirationDate",
            ] {
                self.time(at, of.get(name));
            }
            if let Some(by) = of.get("securedBy") {
                self.object(at, by, &["mechanism", "algorithmRef"]);
            }
        }
        if let Some(of) = get("protocolProperties").and_then(|of| self.object(at, of, PROTOCOL)) {
            self.word(at, of.get("type"), PROTOCOLS);
            self.text(at, of.get("version"));
            self.references(at, of.get("cryptoRefArray"));
            for suite in self.list(at, of.get("cipherSuites")) {
                if let Some(suite) = self.object(at, suite, &["name", "algorithms", "identifiers"])
                {
                    self.text(at, suite.get("name"));
                    self.references(at, suite.get("algorithms"));
                }
            }
        }
    }
}

fn is_serial(text: &str) -> bool {
    text.strip_prefix("urn:uuid:").is_some_and(|uuid| {
        let parts: Vec<&str> = uuid.split('-').collect();
        let hex = |part: &&str| {
            part.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hex)
    })
}

fn is_oid(text: &str) -> bool {
    text.split('.').count() > 1
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
            "metadata": { "timestamp": "2026-11-23T00:00:00Z" },
            "components": [
                { "type": "cryptographic-asset", "bom-ref": "a", "name": "AES",
                  "cryptoProperties": { "assetType": "algorithm", "algorithmProperties": {
                      "primitive": "ae", "cryptoFunctions": ["encrypt"],
                      "nistQuantumSecurityLevel": 5 } } },
                { "type": "cryptographic-asset", "bom-ref": "k", "name": "key",
                  "cryptoProperties": { "assetType": "related-crypto-material",
                      "relatedCryptoMaterialProperties": { "type": "secret-key",
                          "state": "active", "algorithmRef": "a",
                          "creationDate": "2026-11-23T00:00:00Z" } } },
            ],
        })
    }

    #[test]
    fn what_is_wrong_is_found() {
        assert_eq!(problems(&good()), Vec::<String>::new());
        let material = "/components/1/cryptoProperties/relatedCryptoMaterialProperties";
        let algorithm = "/components/0/cryptoProperties/algorithmProperties";
        for (at, value) in [
            ("/specVersion".to_owned(), json!("1.5")),
            ("/serialNumber".to_owned(), json!("urn:uuid:x")),
            ("/metadata/timestamp".to_owned(), json!("yesterday")),
            ("/components/1/bom-ref".to_owned(), json!("a")),
            ("/components/1/type".to_owned(), json!("application")),
            (format!("{material}/state"), json!("gone")),
            (format!("{material}/algorithmRef"), json!("nowhere")),
            (format!("{material}/creationDate"), json!(7)),
            (format!("{algorithm}/primitive"), json!("cipher")),
            (format!("{algorithm}/cryptoFunctions"), json!(["hide"])),
            (format!("{algorithm}/nistQuantumSecurityLevel"), json!(7)),
            (
                "/components/0/cryptoProperties/assetType".to_owned(),
                json!("protocol"),
            ),
        ] {
            let mut bad = good();
            *bad.pointer_mut(&at).unwrap() = value;
            assert!(!problems(&bad).is_empty(), "{at}");
        }
        let mut more = good();
        more["components"][0]["colour"] = json!("red");
        assert_eq!(problems(&more), ["a: no member `colour` is allowed here"]);
    }
}
