//! What doors ask. A door's channel is that of its link, whatever it says.

use std::sync::Arc;

use chancery_ipc::{Error, Exchange, Incoming, Limits, Links, ResetCode, Side, Tag, connection};
use chancery_message::{Channel, Inbound, PeerEvidence, Ticket};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Outcome, Refusal, RefusalKind};
use chancery_pipeline::protocol::{CoreToDoor, DoorToCore};
use chancery_pipeline::stages::authenticate::by_certificate;
use chancery_pipeline::stages::quarantine;
use chancery_pipeline::stages::upload::Upload;
use chancery_pipeline::{desk, held};
use chancery_settings::Settings;
use tracing::{error, warn};

use crate::app::App;
use crate::asks;
use crate::condition;
use crate::files;
use crate::replies;
use crate::tickets::{Taken, await_answer};
use crate::watch;

/// The largest submission that a door may hand over, whatever its settings say.
const MOST: usize = 128 * 1024 * 1024;

/// Serves the door of a zone for ever.
pub(crate) async fn serve(app: Arc<App>, links: Links, zone: Channel, settings: Arc<Settings>) {
    let Ok(tag) = Tag::new(format!("core.door-{zone}")) else {
        return;
    };
    loop {
        match links.accept(&tag).await {
            Ok(stream) => {
                let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
                let (app, settings) = (Arc::clone(&app), Arc::clone(&settings));
                let name = format!("door-{zone}");
                let (here, came) = app.presence.arrived(&name);
                watch::arrived(&app, &name, came);
                tokio::spawn(async move {
                    let _here = here;
                    while let Some(request) = incoming.next().await {
                        let (app, settings) = (Arc::clone(&app), Arc::clone(&settings));
                        tokio::spawn(async move {
                            if let Err(error) = one(&app, request, zone, &settings).await {
                                warn!(%error, %zone, "a door's request ended");
                            }
                        });
                    }
                });
            }
            Err(error) => {
                error!(%error, %zone, "the door's link cannot be served");
                return;
            }
        }
    }
}

async fn one(
    app: &Arc<App>,
    request: Incoming,
    zone: Channel,
    settings: &Arc<Settings>,
) -> Result<(), Error> {
    let Ok(asked) = request.decode::<DoorToCore>() else {
        request.refuse(ResetCode::Refused);
        return Err(Error::Decode);
    };
    let exchange = request.exchange;
    match asked {
        DoorToCore::Ingest(inbound) => ingest(app, exchange, *inbound, zone).await,
        DoorToCore::Abandon(ticket) => abandon(app, exchange, ticket, zone).await,
        DoorToCore::Upload {
            peer,
            declared_size,
            ..
        } => upload(app, exchange, peer, declared_size, zone).await,
        DoorToCore::Ask { peer, ask } => asks::answer(app, exchange, here(peer, zone), ask).await,
        DoorToCore::Condition(form) => {
            let asked = Arc::clone(app);
            let Exchange { send, .. } = exchange;
            replies::send(send, condition::tell(asked, form).await).await
        }
        DoorToCore::Files => {
            let settings = Arc::clone(settings);
            let read = blocking(move || Ok(files::read(&settings, zone))).await;
            let Exchange { send, .. } = exchange;
            match read {
                Ok(reply) => replies::send(send, reply).await,
                Err(_) => Err(Error::Stopped),
            }
        }
        DoorToCore::Refused(mut refusal) => {
            refusal.peer.channel = zone;
            let noting = Arc::clone(app);
            let noted =
                blocking(move || desk::record_door_refusal(&noting.gateway, &refusal)).await;
            if let Err(error) = noted {
                error!(%error, "a refusal could not be recorded");
                return Err(Error::Stopped);
            }
            let Exchange { mut send, .. } = exchange;
            send.header(&CoreToDoor::Noted)?;
            send.finish()
        }
    }
}

/// The evidence as this link may give it: its own channel.
const fn here(mut peer: PeerEvidence, zone: Channel) -> PeerEvidence {
    peer.channel = zone;
    peer
}

async fn ingest(
    app: &Arc<App>,
    exchange: Exchange,
    mut inbound: Inbound,
    zone: Channel,
) -> Result<(), Error> {
    inbound.peer.channel = zone;
    let Exchange {
        mut send,
        mut receive,
    } = exchange;
    let raw = receive.collect(MOST).await?;
    let holding = Arc::clone(app);
    let held = blocking(move || held::hold(&holding.gateway, &raw)).await;
    let kept = held.and_then(|original| {
        app.tickets
            .keep(inbound, original, app.gateway.entropy.as_ref())
            .map_err(|error| {
                StageError::Refused(Refusal::new(RefusalKind::Busy, error.to_string()))
            })
    });
    match kept {
        Ok(ticket) => {
            send.header(&CoreToDoor::Held(ticket))?;
            send.finish()
        }
        Err(error) => {
            error!(%error, "bytes could not be held");
            replies::send(
                send,
                replies::render(zone, &Outcome::Refused(error.refusal()), false),
            )
            .await
        }
    }
}

async fn abandon(
    app: &Arc<App>,
    exchange: Exchange,
    ticket: Ticket,
    zone: Channel,
) -> Result<(), Error> {
    let Exchange { send, .. } = exchange;
    let (held, give) = match app.tickets.take(&ticket, zone) {
        Taken::First(held, give) => (held, give),
        // Accepted after all: its reader died with the answer in hand.
        Taken::Before(awaited) => {
            if let Some(answered) = await_answer(awaited).await {
                return replies::send_whole(send, &answered.0, answered.1.clone()).await;
            }
            return replies::send_whole_of(send, zone, &nothing_held()).await;
        }
        Taken::Unknown => return replies::send_whole_of(send, zone, &nothing_held()).await,
    };
    let (inbound, original) = *held;
    let keeping = Arc::clone(app);
    let kept = blocking(move || {
        quarantine::unread(
            &keeping.gateway,
            &inbound,
            &original,
            "its reader died on it",
            "a message that cannot be read safely",
        )
    })
    .await;
    let outcome = kept.unwrap_or_else(|error| {
        error!(%error, "a message that killed its reader could not be kept");
        Outcome::Refused(error.refusal())
    });
    let answered = Arc::new(replies::whole(replies::render(zone, &outcome, false)));
    give.send_replace(Some(Arc::clone(&answered)));
    replies::send_whole(send, &answered.0, answered.1.clone()).await
}

fn nothing_held() -> Outcome {
    Outcome::Refused(Refusal::new(
        RefusalKind::Unavailable,
        "nothing is held under this ticket: try again",
    ))
}

async fn upload(
    app: &Arc<App>,
    exchange: Exchange,
    peer: PeerEvidence,
    declared: Option<u64>,
    zone: Channel,
) -> Result<(), Error> {
    let peer = here(peer, zone);
    let Exchange { send, mut receive } = exchange;
    let sender = match by_certificate(&app.gateway.rules(), &peer, app.gateway.now()) {
        Ok(sender) => sender,
        Err(refusal) => {
            let noting = Arc::clone(app);
            let told = refusal.clone();
            if let Err(error) =
                blocking(move || desk::record_refusal(&noting.gateway, &peer, &told)).await
            {
                error!(%error, "a refusal could not be recorded");
            }
            return replies::send(
                send,
                replies::render(zone, &Outcome::Refused(refusal), false),
            )
            .await;
        }
    };
    let outcome = stream_in(app, &mut receive, &sender.id, declared, &peer).await;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(Ended::Peer(error)) => return Err(error),
        Err(Ended::Stage(error)) => {
            if !matches!(error, StageError::Refused(_)) {
                error!(%error, "an upload could not be kept");
            }
            Outcome::Refused(error.refusal())
        }
    };
    replies::send(send, replies::render(zone, &outcome, sender.private)).await
}

/// Why a stream was not taken in.
enum Ended {
    /// The door, or the peer behind it, stopped sending.
    Peer(Error),
    /// Refused, or not possible now.
    Stage(StageError),
}

async fn stream_in(
    app: &Arc<App>,
    receive: &mut chancery_ipc::Receiver,
    owner: &chancery_message::ParticipantId,
    declared: Option<u64>,
    peer: &PeerEvidence,
) -> Result<Outcome, Ended> {
    let gateway = &app.gateway;
    let mut upload = tokio::task::block_in_place(|| Upload::begin(gateway, owner, declared))
        .map_err(Ended::Stage)?;
    while let Some(chunk) = receive.next().await {
        let pushed = match chunk {
            Ok(chunk) => tokio::task::block_in_place(|| upload.push(&chunk)).map_err(Ended::Stage),
            Err(error) => Err(Ended::Peer(error)),
        };
        if let Err(ended) = pushed {
            if let Err(error) = tokio::task::block_in_place(|| upload.forget()) {
                warn!(%error, "a broken upload stays until it expires");
            }
            return Err(ended);
        }
    }
    tokio::task::block_in_place(|| upload.finish(peer)).map_err(Ended::Stage)
}

/// Runs what may block on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StageError::Corrupt(format!("a task ended: {error}"))))
}
