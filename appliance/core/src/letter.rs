//! Mail of the gateway's own: signed by its key and encrypted to one
//! participant. Nothing of any message's content is in it.

use std::sync::Arc;

use bytes::Bytes;
use chancery_ipc::Client;
use chancery_label::{Label, Level};
use chancery_machine::SystemEntropy;
use chancery_message::{
    DeliveryId, Entropy as _, MessageId, ParticipantId, Precedence, Purpose, RecipientRole, Text,
    Timestamp,
};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Refusal, RefusalKind};
use chancery_pipeline::protocol::{MailSent, SendMail};
use chancery_pipeline::view::{DeliveryView, Party};

use crate::app::{App, MailIdentity};
use crate::doors::blocking;
use crate::mailer::hand_over;

/// How long the door may take until it begins, milliseconds.
const DEADLINE_MS: u32 = 30_000;

/// What the gateway writes.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// To whom.
    pub(crate) to: ParticipantId,
    /// The message that it is about.
    pub(crate) about: MessageId,
    /// What it is about, in a line.
    pub(crate) subject: &'static str,
    /// The text.
    pub(crate) body: String,
    /// By when it is to be answered.
    pub(crate) due: Timestamp,
}

/// Sends it. Where nobody knows, it may have arrived: it is not sent twice.
pub(crate) async fn send(app: &Arc<App>, door: &Client, letter: Letter) -> Result<(), StageError> {
    let rendering = Arc::clone(app);
    let (head, mail) = blocking(move || render(&rendering, &letter)).await?;
    match hand_over(door, &head, mail).await {
        MailSent::Accepted { .. } | MailSent::Unknown { .. } => Ok(()),
        MailSent::Temporary { reason } | MailSent::Permanent { reason } => {
            Err(Refusal::new(RefusalKind::NotNow, reason).into())
        }
    }
}

fn render(app: &App, letter: &Letter) -> Result<(SendMail, Bytes), StageError> {
    let refuse = |words: &str| StageError::Refused(Refusal::new(RefusalKind::NotNow, words));
    let mail = app
        .mail
        .as_ref()
        .ok_or_else(|| refuse("there is no mail door"))?;
    let (now, rules) = (app.gateway.now(), app.gateway.rules());
    let certificate = rules
        .openpgp_certificate_of(&letter.to, now)
        .ok_or_else(|| refuse("no OpenPGP certificate is registered for the participant"))?;
    let certificate = chancery_mail::content::certificate::read_file(&certificate)
        .map_err(|error| refuse(&error.to_string()))?;
    let known = rules
        .by_id(&letter.to, now)
        .ok_or_else(|| refuse("the participant is not in the directory"))?;
    let to = known
        .address
        .clone()
        .ok_or_else(|| refuse("no mail address is registered for the participant"))?;
    let party = Party {
        id: known.id.clone(),
        name: known.name.clone(),
        address: Some(to.clone()),
    };
    let view = view(app, mail, letter, party)?;
    let context = chancery_mail::content::RenderContext {
        certificate: &mail.certificate,
        signer: app.keys.as_ref(),
        own_address: &mail.sender,
        domain: &mail.domain,
        to: &to,
        recipient_certificate: &certificate,
        now,
        entropy: &SystemEntropy,
    };
    let rendered = chancery_mail::content::render(&view, &context)
        .map_err(|error| StageError::Corrupt(error.to_string()))?;
    let head = SendMail {
        from: mail.sender.clone(),
        to,
        deadline_ms: DEADLINE_MS,
        session: rules.relay_session(&view.label, now),
    };
    Ok((head, Bytes::from(rendered)))
}

fn view(
    app: &App,
    mail: &MailIdentity,
    letter: &Letter,
    to: Party,
) -> Result<DeliveryView, StageError> {
    let now = app.gateway.now();
    let name = app.gateway.node.name.clone();
    let id = name
        .parse()
        .map_err(|_| StageError::Corrupt("the node's name is no id".to_owned()))?;
    let mut random = [0; 8];
    SystemEntropy.fill(&mut random)?;
    let label = Label::of(Level::Nc);
    Ok(DeliveryView {
        delivery: DeliveryId::mint(now, &SystemEntropy)?,
        message: letter.about,
        registration: hex::encode(random),
        from: Party {
            id,
            name: format!("Chancery {name}"),
            address: Some(mail.sender.clone()),
        },
        recipients: vec![(to, RecipientRole::To)],
        originator: None,
        marking: chancery_label::marking::format(&label),
        label,
        obligations: Vec::new(),
        precedence: Precedence::Priority,
        purpose: Purpose::CyberCrisis,
        personal_data: false,
        evaluation: None,
        sent_at: now,
        due_at: Some(letter.due),
        reference: None,
        in_reply_to: None,
        siena: None,
        subject: Text::new(letter.subject),
        body: Text::new(letter.body.clone()),
        attachments: Vec::new(),
    })
}
