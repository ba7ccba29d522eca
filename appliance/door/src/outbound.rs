//! Mail that goes out: core hands over rendered mails, the door sends each to
//! the relay and tells what became of it.

use std::sync::Arc;
use std::time::Duration;

use chancery_ipc::{Error, Exchange, Incoming, Limits, Links, ResetCode, Side, Tag, connection};
use chancery_mail::wire::send::{Relay, Sender, Timeouts};
use chancery_pipeline::protocol::SendMail;
use chancery_settings::MailDoor;
use tracing::{error, warn};

use crate::start::{Failure, failed};

/// The largest rendered mail.
const MOST: usize = 128 * 1024 * 1024;

/// The sender to the configured relay.
pub(crate) fn sender(door: &MailDoor, ca: &[u8]) -> Result<Arc<Sender>, Failure> {
    let relay = Relay {
        host: door.relay_host.clone(),
        port: door.relay_port,
        tls_name: None,
        ca_pem: ca.to_vec(),
        hello_name: door.hostname.clone(),
        timeouts: Timeouts {
            connect: Duration::from_secs(15),
            ..Timeouts::default()
        },
        idle: 4,
    };
    Sender::new(relay)
        .map(Arc::new)
        .map_err(failed("the relay"))
}

/// Serves core for ever.
pub(crate) async fn serve(links: Links, tag: Tag, limits: Limits, sender: Arc<Sender>) {
    loop {
        match links.accept(&tag).await {
            Ok(stream) => {
                let (_caller, mut incoming) = connection(stream, Side::Server, limits);
                let sender = Arc::clone(&sender);
                tokio::spawn(async move {
                    while let Some(request) = incoming.next().await {
                        let sender = Arc::clone(&sender);
                        tokio::spawn(async move {
                            if let Err(error) = one(request, &sender).await {
                                warn!(%error, "a mail's outcome could not be told");
                            }
                        });
                    }
                });
            }
            Err(error) => {
                error!(%error, "core's link cannot be served");
                return;
            }
        }
    }
}

async fn one(request: Incoming, sender: &Sender) -> Result<(), Error> {
    let Ok(head) = request.decode::<SendMail>() else {
        request.refuse(ResetCode::Refused);
        return Err(Error::Decode);
    };
    let Exchange {
        mut send,
        mut receive,
    } = request.exchange;
    let mail = receive.collect(MOST).await?;
    let sent = sender.send(&head, mail).await;
    send.header(&sent)?;
    send.finish()
}
