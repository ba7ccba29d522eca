//! Asking originators who are reached by mail for their consent: a mail of the
//! gateway's own, signed by its key and encrypted to theirs. Nothing of the
//! message is in it.

use std::sync::Arc;

use bytes::Bytes;
use chancery_ipc::Client;
use chancery_label::{Label, Level};
use chancery_machine::SystemEntropy;
use chancery_message::{
    CaseId, DeliveryId, Entropy as _, ParticipantId, Precedence, Purpose, RecipientRole, Text,
};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{ConsentCard, Refusal, RefusalKind};
use chancery_pipeline::protocol::{MailSent, SendMail};
use chancery_pipeline::stages::consent::{self, MAILBOX, WORDS};
use chancery_pipeline::view::{DeliveryView, Party};
use tracing::{info, warn};

use crate::app::App;
use crate::doors::blocking;
use crate::mailer::hand_over;

/// How long the door may take until it begins, milliseconds.
const DEADLINE_MS: u32 = 30_000;

/// Sends the requests that are to be sent.
pub(crate) async fn send(app: &Arc<App>, door: &Client) {
    if app.mail.is_none() || !door.is_connected() {
        return;
    }
    let looking = Arc::clone(app);
    let due = match blocking(move || consent::to_send(&looking.gateway)).await {
        Ok(due) => due,
        Err(error) => {
            warn!(%error, "requests for consent cannot be read now");
            return;
        }
    };
    for (case, card, originator) in due {
        if let Err(error) = send_one(app, door, case, card, originator).await {
            warn!(%error, %case, "a request for consent could not be sent now");
        }
    }
}

async fn send_one(
    app: &Arc<App>,
    door: &Client,
    case: CaseId,
    card: ConsentCard,
    originator: ParticipantId,
) -> Result<(), StageError> {
    let rendering = Arc::clone(app);
    let (head, mail) = blocking(move || render(&rendering, &card, &originator)).await?;
    match hand_over(door, &head, mail).await {
        // Where nobody knows it may have arrived: it is not sent twice.
        MailSent::Accepted { .. } | MailSent::Unknown { .. } => {
            let noting = Arc::clone(app);
            blocking(move || consent::sent(&noting.gateway, &case)).await?;
            info!(%case, "the originator was asked for consent");
            Ok(())
        }
        MailSent::Temporary { reason } | MailSent::Permanent { reason } => {
            Err(Refusal::new(RefusalKind::NotNow, reason).into())
        }
    }
}

fn render(
    app: &App,
    card: &ConsentCard,
    originator: &ParticipantId,
) -> Result<(SendMail, Bytes), StageError> {
    let refuse = |words: &str| StageError::Refused(Refusal::new(RefusalKind::NotNow, words));
    let mail = app
        .mail
        .as_ref()
        .ok_or_else(|| refuse("there is no mail door"))?;
    let (now, rules) = (app.gateway.now(), app.gateway.rules());
    let certificate = rules
        .openpgp_certificate_of(originator, now)
        .ok_or_else(|| refuse("no OpenPGP certificate is registered for the originator"))?;
    let certificate = chancery_mail::content::certificate::read_file(&certificate)
        .map_err(|error| refuse(&error.to_string()))?;
    let known = rules
        .by_id(originator, now)
        .ok_or_else(|| refuse("the originator is not in the directory"))?;
    let to = known
        .address
        .clone()
        .ok_or_else(|| refuse("no mail address is registered for the originator"))?;
    let view = view(
        app,
        card,
        &mail.sender,
        &mail.domain,
        Party {
            id: known.id.clone(),
            name: known.name.clone(),
            address: Some(to.clone()),
        },
    )?;
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

/// The request as a mail: which message, to whom, until when, how to answer.
fn view(
    app: &App,
    card: &ConsentCard,
    sender: &str,
    domain: &str,
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
    let [(granted, _), (refused, _)] = WORDS;
    let body = format!(
        "Your consent is asked for an onward release of information that you originated.\n\n\
         Message:   {}\n\
         Recipient: {}\n\
         Level:     {}\n\
         Answer by: {}\n\n\
         Answer with a signed mail to {MAILBOX}@{domain} whose first line is one of these two:\n\n\
         {granted}{}\n\
         {refused}{}\n",
        card.message,
        card.recipient,
        card.level.code(),
        card.answer_by,
        card.request,
        card.request,
    );
    Ok(DeliveryView {
        delivery: DeliveryId::mint(now, &SystemEntropy)?,
        message: card.message,
        registration: hex::encode(random),
        from: Party {
            id,
            name: format!("Chancery {name}"),
            address: Some(sender.to_owned()),
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
        due_at: Some(card.answer_by),
        reference: None,
        in_reply_to: None,
        siena: None,
        subject: Text::new("Consent asked for an onward release"),
        body: Text::new(body),
        attachments: Vec::new(),
    })
}
