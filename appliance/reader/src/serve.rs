//! One message at a time: bytes and ticket from the door, a typed submission
//! to core, core's reply back to the door.

use std::time::Duration;

use bytes::Bytes;
use chancery_ipc::{
    Client, Error, Exchange, Incoming, Limits, Links, ResetCode, Side, Tag, codec, connection,
};
use chancery_message::Parsed;
use chancery_pipeline::protocol::{Read, ReaderToCore, ReplyHead};

use crate::besides::Besides;
use crate::channels::Channel;
use crate::watch::Watch;

/// How long a reader waits for core to come back.
const RETURN: Duration = Duration::from_secs(10);
/// The largest reply that is relayed (submissions are answered with small ones).
const REPLY: usize = 4 * 1024 * 1024;

/// What a reader reads with.
pub(crate) struct Reading<'a, B> {
    pub(crate) core: &'a Client,
    pub(crate) channel: &'a Channel,
    pub(crate) watch: &'a Watch,
    pub(crate) besides: &'a B,
}

/// Serves the door for ever.
pub(crate) async fn serve<B: Besides>(
    links: &Links,
    door: &Tag,
    reading: &Reading<'_, B>,
) -> std::io::Result<()> {
    loop {
        let stream = links.accept(door).await?;
        let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
        while let Some(request) = incoming.next().await {
            // One after the other: nothing of one message is near another.
            if let Err(error) = one(request, reading).await {
                tracing::warn!(%error, "a message could not be handed on");
            }
        }
    }
}

async fn one<B: Besides>(request: Incoming, reading: &Reading<'_, B>) -> Result<(), Error> {
    let Reading {
        core,
        channel,
        watch,
        besides,
    } = reading;
    let Ok(read) = request.decode::<Read>() else {
        request.refuse(ResetCode::Refused);
        return Err(Error::Decode);
    };
    let Exchange {
        mut send,
        mut receive,
    } = request.exchange;
    let raw = receive.collect(channel.largest()).await?;
    let read_it = || {
        besides.reads(&raw);
        channel.read(&read.inbound, &raw)
    };
    let parsed = match tokio::task::block_in_place(|| watch.over(read_it)) {
        Ok(parsed) => parsed,
        Err(why) => {
            // Not judged: the peer hears that it may try again, nothing changes.
            tracing::warn!(why, "a message cannot be read now");
            send.header(&channel.not_now())?;
            return send.finish();
        }
    };
    drop(raw);
    let (head, body) = submit(core, &read, &parsed).await?;
    send.header(&head)?;
    send.data(body).await?;
    send.finish()
}

async fn submit(core: &Client, read: &Read, parsed: &Parsed) -> Result<(ReplyHead, Bytes), Error> {
    let mut exchange = core
        .open(&ReaderToCore::Submit(read.ticket), RETURN)
        .await?;
    let parsed = Bytes::from(codec::encode(parsed)?);
    match exchange.send.data(parsed).await {
        Ok(()) | Err(Error::Stopped) => {}
        Err(error) => return Err(error),
    }
    let Exchange { send, mut receive } = exchange;
    send.finish()?;
    let head: ReplyHead = receive.header().await?;
    let body = receive.collect(REPLY).await?;
    Ok((head, body))
}
