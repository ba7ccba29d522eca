//! What participants ask at the desk, through their door.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_ipc::{Error, Exchange, Sender as IpcSender};
use chancery_message::{DeliveryId, PeerEvidence, TransportEvidence};
use chancery_pipeline::desk;
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Outcome, Refusal, RefusalKind};
use chancery_pipeline::ports::Ask;
use chancery_pipeline::protocol::{CoreToDoor, ReplyHead};
use chancery_pipeline::rules::Sender;
use chancery_pipeline::stages::authenticate::by_certificate;
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::release::{Released, release};
use chancery_pipeline::stages::{consent, person, receipt};
use chancery_policy::approval::Vote;
use tokio::sync::mpsc;
use tracing::error;

use crate::app::App;
use crate::doors::blocking;
use crate::replies;

/// How often bytes on their way look whether they must stop.
const STOP_LOOK: Duration = Duration::from_millis(20);
/// Longest wait for news, seconds.
const LONGEST_WAIT: u32 = 60;

/// Answers one question.
pub(crate) async fn answer(
    app: &Arc<App>,
    exchange: Exchange,
    peer: PeerEvidence,
    ask: Ask,
) -> Result<(), Error> {
    let Exchange { send, .. } = exchange;
    let channel = peer.channel;
    let over = peer.transport.clone();
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
                replies::render(channel, &Outcome::Refused(refusal), false),
            )
            .await;
        }
    };
    let private = sender.private;
    let outcome = match ask {
        Ask::FetchAttachment { delivery, index } => {
            match open(app, &sender, &delivery, &over).await {
                Ok(released) => {
                    return attachment(app, send, released, index, &sender, channel).await;
                }
                Err(error) => Err(error),
            }
        }
        Ask::Inbox {
            wait_seconds,
            after,
            limit,
        } => {
            wait_for_mail(app, &sender, channel, wait_seconds).await;
            let (app, sender) = (Arc::clone(app), Arc::clone(&sender));
            blocking(move || desk::inbox(&app.gateway, &sender, &peer, after.as_deref(), limit))
                .await
        }
        Ask::Fetch { delivery } => match open(app, &sender, &delivery, &over).await {
            Ok(released) => return fetch(app, send, released, &sender, channel).await,
            Err(error) => Err(error),
        },
        Ask::Consents => {
            let (app, sender) = (Arc::clone(app), Arc::clone(&sender));
            blocking(move || consent::pending(&app.gateway, &sender.id).map(Outcome::Consents))
                .await
        }
        Ask::Consent { request, grant } => {
            let (answering, sender) = (Arc::clone(app), Arc::clone(&sender));
            let done = blocking(move || {
                let vote = if grant { Vote::Approve } else { Vote::Refuse };
                let card = consent::answer(&answering.gateway, &sender, &request, vote, None)?;
                Ok(Outcome::Consented {
                    request: card,
                    granted: grant,
                })
            })
            .await;
            app.announce();
            done
        }
        Ask::Recipients => Ok(desk::recipients(&app.gateway, &sender)),
        Ask::Acknowledge { delivery } => {
            let (app, sender) = (Arc::clone(app), Arc::clone(&sender));
            blocking(move || {
                let id = delivery_id(&delivery)?;
                let at = receipt::acknowledge_by(&app.gateway, &id, &sender.id, &sender.actor())?;
                Ok(Outcome::Acknowledged { delivery: id, at })
            })
            .await
        }
        Ask::Status { message } => {
            let (app, sender) = (Arc::clone(app), Arc::clone(&sender));
            blocking(move || desk::status(&app.gateway, &sender, &message).map(Outcome::Status))
                .await
        }
        Ask::Withdraw { message } => {
            let (app, sender) = (Arc::clone(app), Arc::clone(&sender));
            blocking(move || {
                desk::withdraw(&app.gateway, &sender, &message).map(Outcome::Withdrawn)
            })
            .await
        }
    };
    let outcome = outcome.unwrap_or_else(|error| refused(&error));
    replies::send(send, replies::render(channel, &outcome, private)).await
}

fn refused(error: &StageError) -> Outcome {
    if !matches!(error, StageError::Refused(_)) {
        error!(%error, "a question could not be answered");
    }
    Outcome::Refused(error.refusal())
}

fn delivery_id(text: &str) -> Result<DeliveryId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such delivery for you"))
}

/// Gives one delivery out. It is under way until the door has it all.
async fn fetch(
    app: &Arc<App>,
    send: IpcSender,
    released: Released,
    sender: &Arc<Sender>,
    channel: chancery_message::Channel,
) -> Result<(), Error> {
    let viewing = Arc::clone(app);
    let viewed = blocking(move || {
        let view = released.view(&viewing.gateway, false)?;
        Ok((released, view))
    })
    .await;
    let (way, outcome) = match viewed {
        // The rules changed while it was opened: not a byte has left.
        Ok((released, _)) if released.way.must_stop() => (
            Some(released.way),
            Outcome::Refused(Refusal::new(
                RefusalKind::Denied,
                "the rules do not allow this release any more; your registry can see why",
            )),
        ),
        Ok((released, view)) => {
            released.way.gave_all();
            (Some(released.way), Outcome::Delivery(Box::new(view)))
        }
        Err(error) => (None, refused(&error)),
    };
    let reply = replies::render(channel, &outcome, sender.private);
    drop(outcome);
    let Some(way) = way else {
        return replies::send(send, reply).await;
    };
    let sent = unless_stopped(&way.watched(), replies::send(send, reply)).await;
    drop(way);
    // Stopped: dropped unfinished, so that the door tells its peer.
    sent.unwrap_or(Ok(()))
}

/// Carries bytes until it is done, or none where the rules stopped it: a peer
/// that reads slowly does not keep an officer waiting.
async fn unless_stopped<T>(
    watched: &chancery_pipeline::underway::Watched,
    carrying: impl Future<Output = T>,
) -> Option<T> {
    let stopped = async {
        while !watched.must_stop() {
            tokio::time::sleep(STOP_LOOK).await;
        }
    };
    tokio::select! {
        done = carrying => Some(done),
        () = stopped => None,
    }
}

/// Decides, records, and gives the right to open.
async fn open(
    app: &Arc<App>,
    sender: &Arc<Sender>,
    delivery: &str,
    over: &TransportEvidence,
) -> Result<Released, StageError> {
    let id = delivery_id(delivery)?;
    let (app, sender, over) = (Arc::clone(app), Arc::clone(sender), over.clone());
    blocking(move || {
        app.anchor.allows_release(app.gateway.ledger.head()?.size)?;
        person::may_have(&app.gateway, &sender, &id)?;
        release(
            &app.gateway,
            &id,
            &sender.id,
            &sender.actor(),
            Over::Session(&over),
        )
    })
    .await
}

/// Waits until something is there, or the time is over.
async fn wait_for_mail(
    app: &Arc<App>,
    sender: &Arc<Sender>,
    channel: chancery_message::Channel,
    seconds: u32,
) {
    let waiting = async {
        let mut news = app.news();
        loop {
            news.mark_unchanged();
            let (looking, sender) = (Arc::clone(app), Arc::clone(sender));
            // What cannot be looked at now is told by the listing that follows.
            if blocking(move || desk::has_mail(&looking.gateway, &sender, channel))
                .await
                .unwrap_or(true)
            {
                return;
            }
            if news.changed().await.is_err() {
                return;
            }
        }
    };
    if seconds > 0 {
        let longest = Duration::from_secs(u64::from(seconds.min(LONGEST_WAIT)));
        // The end of the wait is an answer too: an empty listing.
        let _ended = tokio::time::timeout(longest, waiting).await;
    }
}

/// Streams one attachment; memory: a few segments.
async fn attachment(
    app: &Arc<App>,
    mut send: IpcSender,
    released: Released,
    index: u32,
    sender: &Arc<Sender>,
    channel: chancery_message::Channel,
) -> Result<(), Error> {
    let (found, streaming) = (Arc::clone(app), Arc::clone(app));
    let looked = blocking(move || {
        let place = released.attachment(&found.gateway, index)?;
        Ok((released, place))
    })
    .await;
    let (released, (body, _media_type, size)) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            return replies::send(
                send,
                replies::render(channel, &refused(&error), sender.private),
            )
            .await;
        }
    };
    send.header(&CoreToDoor::Reply(ReplyHead {
        status: 200,
        // Opaque to the gateway: never a type that a browser would run.
        content_type: "application/octet-stream".to_owned(),
        headers: vec![("x-content-type-options".to_owned(), "nosniff".to_owned())],
        per_recipient: Vec::new(),
        length: size,
    }))?;
    let (give, mut take) = mpsc::channel::<Bytes>(2);
    let watched = released.way.watched();
    let reading = tokio::task::spawn_blocking(move || {
        let mut cut = false;
        released.stream(&streaming.gateway, &body, &mut |content| {
            if released.way.must_stop() {
                cut = true;
                return false;
            }
            let bytes = Bytes::copy_from_slice(content.expose());
            let length = bytes.len() as u64;
            let taken = give.blocking_send(bytes).is_ok();
            if taken {
                released.way.gave(length);
            }
            taken
        })?;
        if !cut {
            released.way.gave_all();
        }
        Ok::<bool, StageError>(cut)
    });
    let carried = unless_stopped(&watched, async {
        while let Some(chunk) = take.recv().await {
            send.data(chunk).await?;
        }
        Ok::<(), Error>(())
    })
    .await;
    // Whoever gives segments sees that nobody takes them, and ends.
    drop(take);
    match carried {
        Some(Ok(())) => {}
        Some(Err(error)) => return Err(error),
        // Cut off because the rules changed: never shown as the whole.
        None => return Ok(()),
    }
    match reading.await {
        Ok(Ok(false)) => send.finish(),
        // Cut off because the rules changed: never shown as the whole.
        Ok(Ok(true)) => Ok(()),
        // Dropped unfinished: the door tells its peer that it is not the whole.
        Ok(Err(error)) => {
            error!(%error, "an attachment could not be opened to its end");
            Ok(())
        }
        Err(error) => {
            error!(%error, "an attachment's reading ended");
            Ok(())
        }
    }
}
