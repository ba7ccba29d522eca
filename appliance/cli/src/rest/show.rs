//! Answers of the REST channel, for people.

use serde_json::Value;

use crate::failure::Failure;
use crate::officers::text;
use crate::out::{line, safe};

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Who gets it, and why not.
pub(super) fn verdicts(answer: &Value, check: bool) -> Result<(), Failure> {
    if text(answer, "state") == "quarantined" {
        line(format_args!(
            "{}  kept for an officer: {}",
            text(answer, "id"),
            safe(text(answer, "reason"))
        ))?;
        return Ok(());
    }
    if check {
        line(format_args!(
            "{} (nothing was sent)",
            text(answer, "marking")
        ))?;
    } else {
        line(format_args!(
            "{}  {}  {}",
            text(answer, "id"),
            text(answer, "marking"),
            text(answer, "registration")
        ))?;
    }
    for one in list(answer, "recipients") {
        line(format_args!(
            "  {:<24} {:<7} {}",
            text(one, "recipient"),
            text(one, "verdict"),
            safe(text(one, "reason"))
        ))?;
        for hint in list(one, "hints").filter_map(Value::as_str) {
            line(format_args!(
                "  {:<24}         it would help: {}",
                "",
                safe(hint)
            ))?;
        }
    }
    Ok(())
}

/// What became of a message.
pub(super) fn status(answer: &Value) -> Result<(), Failure> {
    line(format_args!(
        "{}  {}  received {}",
        text(answer, "id"),
        text(answer, "marking"),
        text(answer, "received_at")
    ))?;
    for one in list(answer, "recipients") {
        line(format_args!(
            "  {:<24} {:<12} {}  {}",
            text(one, "recipient"),
            text(one, "state"),
            text(one, "since"),
            safe(text(one, "reason"))
        ))?;
    }
    Ok(())
}

/// Whom one may write to.
pub(super) fn recipients(answer: &Value) -> Result<(), Failure> {
    for one in list(answer, "recipients") {
        line(format_args!(
            "{:<24} up to {:<5} {} ({}, {})",
            text(one, "id"),
            text(one, "ceiling"),
            safe(text(one, "name")),
            text(one, "community"),
            text(one, "country")
        ))?;
    }
    Ok(())
}

/// What waits.
pub(super) fn inbox(answer: &Value) -> Result<(), Failure> {
    let mut any = false;
    for one in list(answer, "deliveries") {
        any = true;
        let opened = one
            .get("opened")
            .and_then(Value::as_bool)
            .unwrap_or_default();
        line(format_args!(
            "{}  {}  {}  from {}  {}{}",
            text(one, "delivery"),
            text(one, "precedence"),
            text(one, "marking"),
            text(one, "from"),
            safe(text(one, "subject")),
            match text(one, "receipt") {
                "reminded" => "  (fetched before: its receipt is due)",
                "overdue" => "  (fetched before: its receipt is OVERDUE)",
                _ if opened => "  (fetched before)",
                _ => "",
            }
        ))?;
    }
    if any { Ok(()) } else { line("nothing waits") }
}

/// A message.
pub(super) fn delivery(answer: &Value) -> Result<(), Failure> {
    line(text(answer, "marking"))?;
    let party = |key: &str| {
        answer
            .get(key)
            .map(|party| safe(text(party, "name")))
            .unwrap_or_default()
    };
    line(format_args!("From:     {}", party("from")))?;
    line(format_args!("Sent:     {}", text(answer, "sent_at")))?;
    line(format_args!("Subject:  {}", safe(text(answer, "subject"))))?;
    for obligation in list(answer, "obligations").filter_map(Value::as_str) {
        line(format_args!("Heed:     {obligation}"))?;
    }
    line(format_args!("\n{}\n", safe(text(answer, "body"))))?;
    for attachment in list(answer, "attachments") {
        let size = attachment
            .get("size")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let own = attachment.get("marking").and_then(Value::as_str);
        line(format_args!(
            "Attached: {} ({size} bytes){}",
            safe(text(attachment, "name")),
            own.map_or_else(String::new, |own| format!(", {}", safe(own)))
        ))?;
    }
    line(text(answer, "closing_marking"))?;
    line(format_args!(
        "Acknowledge it: chancery inbox --ack {}",
        text(answer, "delivery")
    ))
}

/// Requests for consent, or what was answered to one.
pub(super) fn consent(answer: &Value) -> Result<(), Failure> {
    if let Some(granted) = answer.get("granted").and_then(Value::as_bool) {
        let words = if granted { "consent" } else { "refusal" };
        return line(format_args!("your {words} is recorded"));
    }
    let mut any = false;
    for one in list(answer, "consents") {
        any = true;
        line(format_args!(
            "{}\n  message {} ({}) to {}, answer by {}",
            text(one, "request"),
            text(one, "message"),
            text(one, "level"),
            text(one, "recipient"),
            text(one, "answer_by")
        ))?;
    }
    if any {
        Ok(())
    } else {
        line("nothing waits for your consent")
    }
}
