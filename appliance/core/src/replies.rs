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
pub(crate) async fn send(mut to: IpcSender, reply: Reply) -> Result<(), Error> {
    let (head, body) = whole(reply);
    to.header(&CoreToDoor::Reply(head))?;
    to.data(body).await?;
    to.finish()
}
