//! Why one set of facts is decided as it is, and what would change that.

use std::path::Path;

use chancery_policy::engine::Engine;
use chancery_policy::explain;
use chancery_policy::facts::Facts;

use crate::failure::Failure;
use crate::{files, out};

pub(super) fn command(engine: &Engine, file: &Path, json: bool) -> Result<(), Failure> {
    let text = files::text(file, 1 << 20)?;
    let facts = Facts::from_json(text.trim())
        .map_err(|error| Failure::new(format!("not well-formed facts (G00): {error}")))?;
    let decision = engine.decide(&facts);
    let gates: Vec<(String, String, &str)> = decision
        .gates()
        .iter()
        .map(|gate| {
            let says = engine
                .rules_of(*gate, None)
                .map(|rule| rule.says.clone())
                .next();
            let entry = gate.entry();
            let rule = says
                .or_else(|| entry.map(|entry| entry.rule.to_owned()))
                .unwrap_or_default();
            (
                gate.to_string(),
                rule,
                entry.map_or("", |entry| entry.basis),
            )
        })
        .collect();
    let hints: Vec<String> = explain::hints(engine, &facts, &[])
        .iter()
        .map(explain::Hint::text)
        .collect();
    if json {
        let gates: Vec<_> = gates
            .iter()
            .map(|(gate, rule, basis)| serde_json::json!({ "gate": gate, "rule": rule, "basis": basis }))
            .collect();
        return out::json(&serde_json::json!({
            "id": facts.id, "verdict": decision.verdict(), "gates": gates,
            "obligations": decision.obligations(), "would_change_it": hints,
        }));
    }
    out::line(format_args!("{}: {}", facts.id, decision.verdict()))?;
    for (gate, rule, basis) in &gates {
        out::line(format_args!("  {gate}  {rule}  [{basis}]"))?;
    }
    for obligation in decision.obligations() {
        out::line(format_args!("  with it: {}", obligation.text()))?;
    }
    for hint in &hints {
        out::line(format_args!("  it would go if {hint}"))?;
    }
    Ok(())
}
