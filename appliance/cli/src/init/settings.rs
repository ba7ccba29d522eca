//! The settings of a new node, and the directory of one that starts empty.

use std::path::Path;

use chancery_hsm_api::DoorZone;
use chancery_settings::fill;

use super::Plan;
use crate::failure::Failure;

/// The node's own organisation: the operator's to change.
pub(super) const FIRST_PARTICIPANT: &str = r#"
[[participant]]
id = "registry"
name = "The registry that runs this gateway"
organisation = "registry"
community = "civilian"
kind = "agency"
country = "EU"
compartment = "registry"
"#;

/// Two people where two must agree, three who hold keys, and one who only reads.
pub(super) const FIRST_OFFICERS: &str = r#"
[[officer]]
id = "release-1"
name = "First release officer"
participant = "registry"
roles = ["registry", "release"]
[[officer]]
id = "release-2"
name = "Second release officer"
participant = "registry"
roles = ["registry", "release"]
[[officer]]
id = "security-1"
name = "First security officer"
participant = "registry"
roles = ["security"]
[[officer]]
id = "security-2"
name = "Second security officer"
participant = "registry"
roles = ["security"]
[[officer]]
id = "custodian-1"
name = "First key custodian"
participant = "registry"
roles = ["key-custodian"]
[[officer]]
id = "custodian-2"
name = "Second key custodian"
participant = "registry"
roles = ["key-custodian"]
[[officer]]
id = "custodian-3"
name = "Third key custodian"
participant = "registry"
roles = ["key-custodian"]
[[officer]]
id = "auditor-1"
name = "Auditor"
participant = "registry"
roles = ["auditor"]
"#;

/// The settings file: the shipped one with what this node needs filled in.
pub(super) fn text(plan: &Plan, module: &Path) -> Result<String, Failure> {
    let string = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut options: Vec<(&str, String)> = vec![
        ("node.name", string(&plan.name)),
        (
            "custodian.log_origin",
            string(&format!("chancery/{}", plan.name)),
        ),
        ("custodian.token.label", string(&plan.name)),
        ("rules.schemes", string("rules/schemes")),
        ("rules.policies", string("rules/policies")),
        ("rules.participants", string("rules/participants.toml")),
        ("rules.mous", string("rules/mous")),
        ("rules.officers", string("rules/officers.toml")),
    ];
    options.extend(plan.backing.options(module)?);
    if plan.best_effort {
        options.push(("node.hardening", string("best-effort")));
        options.push(("custodian.hardening", string("best-effort")));
    }
    for zone in &plan.zones {
        match zone {
            DoorZone::Mail => {
                let domain = &plan.mail_domain;
                let smtp = plan.smtp.map(|address| address.to_string());
                let lmtp = plan.lmtp.as_ref().map(ToString::to_string);
                options.extend(smtp.map(|text| ("doors.mail.smtp", string(&text))));
                options.extend(lmtp.map(|text| ("doors.mail.lmtp", string(&text))));
                options.extend([
                    ("doors.mail.hostname", string(domain)),
                    ("doors.mail.domains", format!("[{}]", string(domain))),
                    ("doors.mail.certificate", string("tls/mail.pem")),
                    ("doors.mail.relay_host", string(&plan.relay.0)),
                    ("doors.mail.relay_port", plan.relay.1.to_string()),
                    ("doors.mail.relay_ca", string("tls/relay-ca.pem")),
                    ("doors.mail.sender", string(&format!("gateway@{domain}"))),
                ]);
            }
            DoorZone::Siena => options.extend([
                ("doors.siena.listen", string(&plan.siena.to_string())),
                ("doors.siena.certificate", string("tls/siena.pem")),
                ("doors.siena.client_ca", string("tls/clients.pem")),
            ]),
            DoorZone::Rest => options.extend([
                ("doors.rest.listen", string(&plan.rest.to_string())),
                ("doors.rest.certificate", string("tls/rest.pem")),
                ("doors.rest.client_ca", string("tls/clients.pem")),
            ]),
        }
    }
    let borrowed: Vec<(&str, &str)> = options
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    fill(&borrowed)
        .map_err(|option| Failure::new(format!("the shipped settings have no option {option}")))
}
