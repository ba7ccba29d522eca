//! Decisions in bulk: one JSON object in, one out.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Engine;
use crate::decision::{About, Decision, Obligation, Verdict};
use crate::facts::Facts;
use crate::gate::Gate;

/// One answer line.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    id: Option<&'a str>,
    verdict: Verdict,
    gates: &'a [Gate],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    obligations: &'a [Obligation],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alarms: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Engine {
    /// Decides one line of facts and answers one line of JSON, without its end
    /// of line: `id`, `verdict`, `gates`, and where there are some
    /// `obligations`, `alarms` and (for facts that are not well-formed) `error`.
    #[must_use]
    pub fn decide_line(&self, line: &str) -> String {
        let (decision, id, error) = match Facts::from_json(line) {
            Ok(facts) => {
                let decision = self.decide(&facts);
                (decision, Some(facts.id), None)
            }
            Err(error) => {
                let id = id_of(line);
                let about = About {
                    id: id.clone().unwrap_or_default(),
                    facts: Sha256::digest(line.as_bytes()).into(),
                    policy: self.hash,
                };
                (
                    Decision::malformed(about, Vec::new()),
                    id,
                    Some(error.to_string()),
                )
            }
        };
        let answer = Answer {
            id: id.as_deref(),
            verdict: decision.verdict(),
            gates: decision.gates(),
            obligations: decision.obligations(),
            alarms: decision.alarms().iter().map(ToString::to_string).collect(),
            error,
        };
        // INVARIANT: strings and lists of strings: serialization cannot fail.
        serde_json::to_string(&answer)
            .unwrap_or_else(|_| r#"{"id":null,"verdict":"deny","gates":["G00"]}"#.to_owned())
    }

    /// As [`Engine::decide_line`], for bytes that may not be UTF-8.
    #[must_use]
    pub fn decide_bytes(&self, line: &[u8]) -> String {
        // Bytes that are not UTF-8 are not JSON: replaced, they would be read as
        // other text, so they are answered as no object at all.
        self.decide_line(std::str::from_utf8(line).unwrap_or_default())
    }
}

/// The `id` of an object that is otherwise not well-formed, where it can be read.
fn id_of(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    if !line.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str::<Id>(line).ok().map(|found| found.id)
}
