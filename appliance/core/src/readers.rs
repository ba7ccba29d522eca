//! What readers hand over. A reader's words count only for bytes that the door
//! of its own zone handed over, and only once.

use std::sync::Arc;

use chancery_ipc::{
    Error, Exchange, Incoming, Limits, Links, ResetCode, Side, Tag, codec, connection,
};
use chancery_message::{Channel, Ticket};
use chancery_pipeline::outcome::{Outcome, Refusal, RefusalKind};
use chancery_pipeline::protocol::{Certificates, ReaderToCore, SubmitBody};
use chancery_pipeline::stages::accept::accept;
use tracing::{error, warn};

use crate::app::App;
use crate::doors::blocking;
use crate::replies;
use crate::tickets::{Answered, Taken, await_answer};
use crate::watch;

/// The largest typed submission.
const MOST: usize = 160 * 1024 * 1024;

/// Serves the reader of a zone for ever.
pub(crate) async fn serve(app: Arc<App>, links: Links, zone: Channel) {
    let Ok(tag) = Tag::new(format!("core.reader-{zone}")) else {
        return;
    };
    loop {
        match links.accept(&tag).await {
            Ok(stream) => {
                let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
                let app = Arc::clone(&app);
                let name = format!("reader-{zone}");
                let (here, came) = app.presence.arrived(&name);
                watch::arrived(&app, &name, came);
                tokio::spawn(async move {
                    let _here = here;
                    while let Some(request) = incoming.next().await {
                        let app = Arc::clone(&app);
                        tokio::spawn(async move {
                            if let Err(error) = one(&app, request, zone).await {
                                warn!(%error, %zone, "a reader's request ended");
                            }
                        });
                    }
                });
            }
            Err(error) => {
                error!(%error, %zone, "the reader's link cannot be served");
                return;
            }
        }
    }
}

async fn one(app: &Arc<App>, request: Incoming, zone: Channel) -> Result<(), Error> {
    match request.decode::<ReaderToCore>() {
        Ok(ReaderToCore::CertificatesFor(address)) if zone == Channel::Mail => {
            let certificates = app
                .gateway
                .rules()
                .openpgp_certificates_for(&address, app.gateway.now())
                .iter()
                // What the directory holds is armored text; one that cannot be
                // read proves nobody.
                .filter_map(|text| chancery_mail::content::certificate::read_file(text).ok())
                .collect();
            request.reply(&Certificates { certificates })
        }
        Ok(ReaderToCore::Submit(ticket)) => submit(app, request.exchange, ticket, zone).await,
        Ok(ReaderToCore::CertificatesFor(_)) | Err(_) => {
            request.refuse(ResetCode::Refused);
            Err(Error::Decode)
        }
    }
}

async fn submit(
    app: &Arc<App>,
    exchange: Exchange,
    ticket: Ticket,
    zone: Channel,
) -> Result<(), Error> {
    let Exchange {
        mut send,
        mut receive,
    } = exchange;
    let body = receive.collect(MOST).await?;
    let taken = app.tickets.take(&ticket, zone);
    let answered = match (taken, codec::decode::<SubmitBody>(&body)) {
        (Taken::Before(awaited), _) => await_answer(awaited).await,
        (Taken::Unknown, _) => None,
        (Taken::First(..), Err(_)) => Some(answer(zone, &not_a_submission(), false)),
        (Taken::First(held, give), Ok(parsed)) => {
            drop(body);
            let (inbound, original) = *held;
            let accepting = Arc::clone(app);
            let private = is_private(app, &inbound.peer);
            let accepted =
                blocking(move || accept(&accepting.gateway, &inbound, original, parsed)).await;
            app.announce();
            let outcome = accepted.unwrap_or_else(|error| failed(&error));
            let answered = answer(zone, &outcome, private);
            // Before it is sent: the reader may be gone by now.
            give.send_replace(Some(Arc::clone(&answered)));
            Some(answered)
        }
    };
    let answered = answered.unwrap_or_else(|| answer(zone, &unknown_ticket(), false));
    let (head, body) = (&answered.0, answered.1.clone());
    send.header(head)?;
    send.data(body).await?;
    send.finish()
}

fn answer(zone: Channel, outcome: &Outcome, private: bool) -> Answered {
    Arc::new(replies::whole(replies::render(zone, outcome, private)))
}

/// True if the caller behind a certificate is a company; false where nobody is proven.
pub(crate) fn is_private(app: &App, peer: &chancery_message::PeerEvidence) -> bool {
    chancery_pipeline::stages::authenticate::by_certificate(
        &app.gateway.rules(),
        peer,
        app.gateway.now(),
    )
    .is_ok_and(|sender| sender.private)
}

fn failed(error: &chancery_pipeline::gateway::StageError) -> Outcome {
    error!(%error, "a submission could not be accepted");
    Outcome::Refused(error.refusal())
}

fn unknown_ticket() -> Outcome {
    Outcome::Refused(Refusal::new(
        RefusalKind::Unavailable,
        "nothing is held for this submission: send it again",
    ))
}

fn not_a_submission() -> Outcome {
    Outcome::Refused(Refusal::new(
        RefusalKind::Unavailable,
        "the submission could not be read: send it again",
    ))
}
