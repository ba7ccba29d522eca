//! The answer to a submission, in the words of SMTP and LMTP.

use bytes::Bytes;
use chancery_pipeline::outcome::{Outcome, RecipientVerdict, Refusal, Verdict, Verdicts};
use chancery_pipeline::ports::{Reply, ReplyBody};

/// Longest reply text, characters.
const MAX_TEXT: usize = 300;

/// Renders what came of a submission. `status` and body are the answer for
/// the message as a whole (SMTP); `per_recipient` has the same for each
/// recipient, in the order of the envelope (LMTP).
///
/// * accepted: 250 with the registration as the sender may see it; where the
///   rules refuse every recipient: 550 with the reason;
/// * held for officers, one recipient or the whole: 250, since the gateway has
///   it and nothing is to be sent again;
/// * refused whole: the code of its kind.
#[must_use]
pub fn reply(outcome: &Outcome) -> Reply {
    match outcome {
        Outcome::Accepted(verdicts) | Outcome::Checked(verdicts) => accepted(verdicts),
        Outcome::Quarantined { message, reason } => whole(
            250,
            &format!("2.0.0 held for an officer as {message}: {reason}"),
        ),
        Outcome::Refused(refusal) => refused(refusal),
        // Not answers to mail: nothing may be taken for accepted.
        Outcome::Consented { granted: true, .. } => whole(250, "2.0.0 your consent is recorded"),
        Outcome::Consented { granted: false, .. } => whole(250, "2.0.0 your refusal is recorded"),
        Outcome::Uploaded { .. }
        | Outcome::Recipients(_)
        | Outcome::Inbox(_)
        | Outcome::Delivery(_)
        | Outcome::Acknowledged { .. }
        | Outcome::Status(_)
        | Outcome::Withdrawn(_)
        | Outcome::Consents(_) => whole(554, "5.3.0 not an answer to a message"),
    }
}

fn accepted(verdicts: &Verdicts) -> Reply {
    let reference = verdicts.registration.as_deref().unwrap_or("checked");
    let each: Vec<_> = verdicts
        .recipients
        .iter()
        .map(|verdict| line(verdict, reference))
        .collect();
    let denied = each.iter().filter(|(code, _)| *code >= 500).count();
    let mut reply = if denied == each.len() {
        let reason = verdicts
            .recipients
            .first()
            .map_or("", |verdict| verdict.reason.as_str());
        whole(
            550,
            &format!("5.7.0 not released to any recipient: {reason}"),
        )
    } else if denied > 0 {
        let all = each.len();
        whole(
            250,
            &format!("2.0.0 accepted as {reference}; not released to {denied} of {all} recipients"),
        )
    } else {
        whole(250, &format!("2.0.0 accepted as {reference}"))
    };
    reply.per_recipient = each;
    reply
}

fn line(verdict: &RecipientVerdict, reference: &str) -> (u16, String) {
    match verdict.verdict {
        Verdict::Permit => (250, clean(&format!("2.0.0 accepted as {reference}"))),
        Verdict::Review => (
            250,
            clean(&format!(
                "2.0.0 held for an officer as {reference}: {}",
                verdict.reason
            )),
        ),
        Verdict::Deny => (
            550,
            clean(&format!("5.7.0 not released: {}", verdict.reason)),
        ),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    let (code, enhanced) = refusal.kind.smtp_status();
    whole(code, &format!("{enhanced} {}", refusal.detail))
}

fn whole(status: u16, text: &str) -> Reply {
    Reply {
        status,
        content_type: "text/plain".to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(Bytes::from(clean(text))),
        per_recipient: Vec::new(),
    }
}

/// One line of visible ASCII.
fn clean(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_ascii_graphic() { c } else { ' ' })
        .take(MAX_TEXT)
        .collect();
    text.trim().trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use chancery_label::{Label, Level};
    use chancery_message::MessageId;
    use chancery_pipeline::outcome::RefusalKind;

    use super::*;

    fn verdict(verdict: Verdict, reason: &str) -> RecipientVerdict {
        RecipientVerdict {
            recipient: "a@gateway.example".to_owned(),
            verdict,
            reason: reason.to_owned(),
            hints: Vec::new(),
            due_at: None,
        }
    }

    fn of(recipients: Vec<RecipientVerdict>) -> (u16, String, Vec<(u16, String)>) {
        text(reply(&Outcome::Accepted(Verdicts {
            message: Some(MessageId::from_bytes([1; 16])),
            registration: Some("2026/7".to_owned()),
            label: Label::of(Level::Nc),
            recipients,
            repeated: false,
        })))
    }

    fn text(reply: Reply) -> (u16, String, Vec<(u16, String)>) {
        let ReplyBody::Whole(body) = reply.body else {
            panic!("one line was expected");
        };
        (
            reply.status,
            String::from_utf8(body.to_vec()).unwrap(),
            reply.per_recipient,
        )
    }

    #[test]
    fn verdicts_become_codes() {
        let permit = || verdict(Verdict::Permit, "");
        let deny = || verdict(Verdict::Deny, "no agreement covers this");
        let review = || verdict(Verdict::Review, "an officer must look");
        let (code, line, each) = of(vec![permit(), review()]);
        assert_eq!((code, line.as_str()), (250, "2.0.0 accepted as 2026/7"));
        assert_eq!(
            each[1].1,
            "2.0.0 held for an officer as 2026/7: an officer must look"
        );
        let (code, line, each) = of(vec![permit(), deny()]);
        assert_eq!(code, 250);
        assert!(line.ends_with("not released to 1 of 2 recipients"));
        assert_eq!(
            each[1],
            (
                550,
                "5.7.0 not released: no agreement covers this".to_owned()
            )
        );
        let (code, line, _) = of(vec![deny(), deny()]);
        assert_eq!(code, 550);
        assert_eq!(
            line,
            "5.7.0 not released to any recipient: no agreement covers this"
        );
    }

    #[test]
    fn every_refusal_has_its_code_and_one_line() {
        for kind in RefusalKind::ALL {
            let refusal = Refusal::new(kind, "not so\r\n250 ok \u{e9}");
            let (code, line, each) = text(reply(&Outcome::Refused(refusal)));
            assert_eq!(code, kind.smtp_status().0);
            assert!(
                line.starts_with(kind.smtp_status().1) && !line.contains('\n') && line.is_ascii()
            );
            assert!(each.is_empty());
        }
        let held = Outcome::Quarantined {
            message: MessageId::from_bytes([1; 16]),
            reason: "no label".to_owned(),
        };
        let (code, line, _) = text(reply(&held));
        assert_eq!(code, 250);
        assert!(
            line.starts_with("2.0.0 held for an officer as 01010101-"),
            "{line}"
        );
    }
}
