//! Asking originators who are reached by mail for their consent.

use std::sync::Arc;

use chancery_ipc::Client;
use chancery_message::{CaseId, ParticipantId};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::ConsentCard;
use chancery_pipeline::stages::consent::{self, MAILBOX, WORDS};
use tracing::{info, warn};

use crate::app::App;
use crate::doors::blocking;
use crate::letter::{self, Letter};

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
        if let Err(error) = send_one(app, door, case, &card, originator).await {
            warn!(%error, %case, "a request for consent could not be sent now");
        }
    }
}

async fn send_one(
    app: &Arc<App>,
    door: &Client,
    case: CaseId,
    card: &ConsentCard,
    originator: ParticipantId,
) -> Result<(), StageError> {
    let domain = app.mail.as_ref().map_or("", |mail| mail.domain.as_str());
    let letter = Letter {
        to: originator,
        about: card.message,
        subject: "Consent asked for an onward release",
        body: body(card, domain),
        due: card.answer_by,
    };
    letter::send(app, door, letter).await?;
    let noting = Arc::clone(app);
    blocking(move || consent::sent(&noting.gateway, &case)).await?;
    info!(%case, "the originator was asked for consent");
    Ok(())
}

/// The request in words: which message, to whom, until when, how to answer.
fn body(card: &ConsentCard, domain: &str) -> String {
    let [(granted, _), (refused, _)] = WORDS;
    format!(
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
    )
}
