//! Outcomes in the words of each channel, and on their way to the door.

use bytes::Bytes;
use chancery_ipc::{Error, Sender as IpcSender};
use chancery_message::Channel;
use chancery_pipeline::outcome::Outcome;
use chancery_pipeline::ports::{Reply, ReplyBody};
use chancery_pipeline::protocol::{CoreToDoor, ReplyHead};

/// Renders an outcome with the channel's content module.
pub(crate) fn render(channel: Channel, outcome: &Outcome, caller_is_private: bool) -> Reply {
    match channel {
        Channel::Mail => chancery_mail::content::reply(outcome),
        Channel::Siena => chancery_siena::content::reply(outcome, caller_is_private),
        Channel::Rest => chancery_rest::content::reply(outcome, caller_is_private),
    }
}

/// A reply's head and its whole body.
pub(crate) fn whole(reply: Reply) -> (ReplyHead, Bytes) {
    let body = match reply.body {
        ReplyBody::Whole(bytes) => bytes,
        // INVARIANT: content modules render whole bodies; streams are core's own.
        ReplyBody::Stream { .. } => Bytes::new(),
    };
    let head = ReplyHead {
        status: reply.status,
        content_type: reply.content_type,
        headers: reply.headers,
        per_recipient: reply.per_recipient,
        length: u64::try_from(body.len()).unwrap_or(u64::MAX),
    };
    (head, body)
}

/// Sends a whole reply to a door.
pub(crate) async fn send(to: IpcSender, reply: Reply) -> Result<(), Error> {
    let (head, body) = whole(reply);
    send_whole(to, &head, body).await
}

/// Renders an outcome and sends it to a door whose peer is not known.
pub(crate) async fn send_whole_of(
    to: IpcSender,
    channel: Channel,
    outcome: &Outcome,
) -> Result<(), Error> {
    send(to, render(channel, outcome, false)).await
}

/// Sends what was rendered before.
pub(crate) async fn send_whole(
    mut to: IpcSender,
    head: &ReplyHead,
    body: Bytes,
) -> Result<(), Error> {
    to.header(&CoreToDoor::Reply(head.clone()))?;
    to.data(body).await?;
    to.finish()
}
