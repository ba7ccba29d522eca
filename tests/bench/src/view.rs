//! A message of one kilobyte as a recipient is to see it.

use chancery_label::{Label, Level, marking};
use chancery_message::{
    DeliveryId, MessageId, Precedence, Purpose, RecipientRole, Text, Timestamp,
};
use chancery_pipeline::view::{DeliveryView, Party};

pub(crate) fn of_a_kilobyte(sent_at: Timestamp) -> DeliveryView {
    let label = Label::of(Level::Restricted);
    let party = || Party {
        id: "cert-eu".parse().unwrap(),
        name: "CERT-EU".to_owned(),
        address: None,
    };
    DeliveryView {
        delivery: DeliveryId::from_bytes([1; 16]),
        message: MessageId::from_bytes([2; 16]),
        registration: "2026/1".to_owned(),
        from: party(),
        recipients: vec![(party(), RecipientRole::To)],
        originator: None,
        marking: marking::format(&label),
        label,
        obligations: Vec::new(),
        precedence: Precedence::Routine,
        purpose: Purpose::CyberCrisis,
        personal_data: false,
        evaluation: None,
        sent_at,
        due_at: None,
        reference: None,
        in_reply_to: None,
        siena: None,
        subject: Text::new("message 1"),
        body: Text::new("A line of an ordinary text of an ordinary length.\n".repeat(20)),
        attachments: Vec::new(),
    }
}
