//! The text of a delivery: marking, what a registry must know, the text,
//! marking.

use chancery_label::marking;
use chancery_message::{Precedence, RecipientRole};
use chancery_pipeline::view::{DeliveryView, Party};

use super::encode::single_line;

/// Writes the text, lines ended by LF, the last one without.
pub(super) fn text(view: &DeliveryView) -> String {
    let mut out = String::with_capacity(view.body.len() + 1024);
    let marking = single_line(&view.marking);
    out.push_str(&marking);
    out.push_str("\n\n");
    let mut row = |name: &str, value: &str| {
        out.push_str(&format!(
            "{:<15}{}\n",
            format!("{name}:"),
            single_line(value)
        ));
    };
    row("From", &party(&view.from));
    for (role, name) in [(RecipientRole::To, "To"), (RecipientRole::Copy, "Copy")] {
        for (recipient, its_role) in &view.recipients {
            if *its_role == role {
                row(name, &party(recipient));
            }
        }
    }
    if let Some(originator) = &view.originator {
        row("Originator", &party(originator));
    }
    row("Registration", &view.registration);
    row("Sent", &view.sent_at.to_string());
    if view.precedence != Precedence::Routine {
        row("Precedence", view.precedence.name());
    }
    row("Purpose", view.purpose.word());
    row(
        "Personal data",
        if view.personal_data { "yes" } else { "no" },
    );
    if let Some(evaluation) = view.evaluation {
        row("Evaluation", &evaluation.to_string());
    }
    if let Some(reference) = &view.reference {
        row("Reference", reference.expose());
    }
    if let Some(answered) = &view.in_reply_to {
        match &answered.registration {
            Some(number) => row("Answers", &format!("{} ({number})", answered.id.expose())),
            None => row("Answers", answered.id.expose()),
        }
    }
    if let Some(siena) = &view.siena
        && let Some(case) = &siena.case_reference
    {
        row("Case", case.expose());
    }
    if let Some(due) = view.due_at {
        row("Receipt due", &due.to_string());
    }
    for obligation in &view.obligations {
        row("Obligation", obligation);
    }
    for attachment in &view.attachments {
        if let Some(own) = &attachment.label {
            let name = attachment.name.expose();
            row("Attached", &format!("{name}, {}", marking::format(own)));
        }
    }
    out.push('\n');
    push_body(&mut out, view.body.expose());
    out.push_str("\n\n");
    out.push_str(&marking);
    out
}

fn party(party: &Party) -> String {
    format!("{} ({})", party.name, party.id)
}

/// The text itself: LF alone ends lines, and control characters become the
/// pictures of themselves, so that no terminal obeys them.
fn push_body(out: &mut String, body: &str) {
    for c in body.replace("\r\n", "\n").trim_end_matches('\n').chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => out.push('\n'),
            c if c.is_ascii_control() => {
                let picture = if c == '\u{7f}' {
                    0x2421
                } else {
                    0x2400 + u32::from(c)
                };
                out.push(char::from_u32(picture).unwrap_or(' '));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}
