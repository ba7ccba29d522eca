//! Sending mail: every delivery that is due is decided again, recorded as
//! opened, rendered, signed and encrypted, and handed to the mail door; what
//! the door tells is the outcome.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_audit::Actor;
use chancery_ipc::{Client, Error, Exchange};
use chancery_machine::{SystemClock, SystemEntropy};
use chancery_message::{Channel, Clock as _};
use chancery_pipeline::gateway::StageError;
use chancery_pipeline::outcome::{Refusal, RefusalKind};
use chancery_pipeline::protocol::{MailSent, SendMail};
use chancery_pipeline::rows::DeliveryRow;
use chancery_pipeline::stages::protection::Over;
use chancery_pipeline::stages::receipt;
use chancery_pipeline::stages::release::{Released, release};
use tokio::sync::Semaphore;
use tracing::{error, info, warn};

use crate::app::App;
use crate::doors::blocking;

/// Deliveries under way at one time.
const AT_ONCE: usize = 8;
/// How long the queue is left alone when nothing is announced.
const LOOK: Duration = Duration::from_secs(5);
/// How long the door may take for one mail.
const SENDING: Duration = Duration::from_secs(120);
/// How long the door is waited for before the delivery is deferred.
const DOOR: Duration = Duration::from_secs(5);

/// Sends what is due, for ever.
pub(crate) async fn run(app: Arc<App>, door: Client) {
    let mut news = app.news();
    loop {
        news.mark_unchanged();
        crate::consents::send(&app, &door).await;
        crate::reminders::send(&app, &door).await;
        let looking = Arc::clone(&app);
        let due = blocking(move || {
            Ok(looking.gateway.ledger.due(
                Channel::Mail,
                looking.gateway.now(),
                u32::try_from(4 * AT_ONCE).unwrap_or(32),
            )?)
        })
        .await;
        match due {
            Ok(due) if !due.is_empty() => {
                send_all(&app, &door, due).await;
                continue;
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "the mail queue cannot be read now"),
        }
        // Whichever comes first: news, or the time to look for deferred mail.
        let _either = tokio::time::timeout(LOOK, news.changed()).await;
    }
}

async fn send_all(app: &Arc<App>, door: &Client, due: Vec<DeliveryRow>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = tokio::task::JoinSet::new();
    for row in due {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (app, door) = (Arc::clone(app), door.clone());
        under_way.spawn(async move {
            if let Err(error) = send_one(&app, &door, &row).await
                && !matches!(error, StageError::Refused(_))
            {
                error!(%error, delivery = %row.id, "a mail could not be sent now");
                // What cannot be opened now is left for a later look.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            drop(slot);
        });
    }
    while under_way.join_next().await.is_some() {}
}

async fn send_one(app: &Arc<App>, door: &Client, row: &DeliveryRow) -> Result<(), StageError> {
    if !door.is_connected() {
        // Nothing is opened for a door that is not there.
        tokio::time::sleep(Duration::from_millis(200)).await;
        return Ok(());
    }
    let opening = Arc::clone(app);
    let (id, recipient) = (row.id, row.recipient.clone());
    let released = blocking(move || {
        opening
            .anchor
            .allows_release(opening.gateway.ledger.head()?.size)?;
        release(
            &opening.gateway,
            &id,
            &recipient,
            &Actor::System,
            Over::Relay,
        )
    })
    .await?;
    let rendering = Arc::clone(app);
    let (released, rendered) = blocking(move || {
        let rendered = render(&rendering, &released);
        Ok((released, rendered))
    })
    .await?;
    let sent = match rendered {
        // The rules changed while it was rendered: not a byte has left.
        Ok(_) if released.way.must_stop() => MailSent::Temporary {
            reason: "the rules changed: it is decided again".to_owned(),
        },
        Ok((head, mail)) => {
            released.way.gave_all();
            hand_over(door, &head, mail).await
        }
        // A mail that cannot be rendered is told and not tried for ever.
        Err(StageError::Refused(refusal)) => MailSent::Permanent {
            reason: refusal.detail,
        },
        Err(error) => {
            warn!(%error, "a mail could not be rendered now");
            MailSent::Temporary {
                reason: "the gateway could not render it now".to_owned(),
            }
        }
    };
    let noting = Arc::clone(app);
    let state =
        blocking(move || receipt::mail_sent(&noting.gateway, &released.delivery, &sent)).await?;
    info!(delivery = %row.id, %state, "mail");
    Ok(())
}

fn render(app: &App, released: &Released) -> Result<(SendMail, Bytes), StageError> {
    let refuse = |words: &str| StageError::Refused(Refusal::new(RefusalKind::NotNow, words));
    let mail = app
        .mail
        .as_ref()
        .ok_or_else(|| refuse("there is no mail door"))?;
    let view = released.view(&app.gateway, true)?;
    let now = app.gateway.now();
    let recipient = &released.delivery.recipient;
    let certificate = released
        .rules
        .openpgp_certificate_of(recipient, now)
        .ok_or_else(|| refuse("no OpenPGP certificate is registered for the recipient"))?;
    let to = view
        .recipients
        .iter()
        .find(|(party, _)| &party.id == recipient)
        .and_then(|(party, _)| party.address.clone())
        .ok_or_else(|| refuse("no mail address is registered for the recipient"))?;
    let certificate = chancery_mail::content::certificate::read_file(&certificate)
        .map_err(|error| refuse(&error.to_string()))?;
    let used = chancery_mail::content::certificate::algorithms(&certificate, now)
        .map_err(|error| refuse(&error.to_string()))?;
    released
        .rules
        .may_encrypt(&used, &view.label, now)
        .map_err(|why| refuse(&why.to_string()))?;
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
    let rendered = chancery_mail::content::render(&view, &context).map_err(|error| {
        if error.is_transient() {
            StageError::Corrupt(error.to_string())
        } else {
            refuse(&error.to_string())
        }
    })?;
    let left = released.permit.deadline().since(SystemClock.now());
    let head = SendMail {
        from: mail.sender.clone(),
        to,
        deadline_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
        session: released.rules.relay_session(&view.label, now),
    };
    Ok((head, Bytes::from(rendered)))
}

/// Gives a mail to the door. From the first byte on, no answer means that
/// nobody knows.
pub(crate) async fn hand_over(door: &Client, head: &SendMail, mail: Bytes) -> MailSent {
    let temporary = |error: &Error| MailSent::Temporary {
        reason: format!("the mail door cannot be reached: {error}"),
    };
    let mut exchange = match door.open(head, DOOR).await {
        Ok(exchange) => exchange,
        Err(error) => return temporary(&error),
    };
    let unknown = |error: &Error| MailSent::Unknown {
        reason: format!("the mail door broke off: {error}"),
    };
    // The door begins to send only when it has the whole.
    if let Err(error) = exchange.send.data(mail).await {
        return temporary(&error);
    }
    let Exchange { send, mut receive } = exchange;
    if let Err(error) = send.finish() {
        return temporary(&error);
    }
    match tokio::time::timeout(SENDING, receive.header::<MailSent>()).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(error)) => unknown(&error),
        Err(_) => unknown(&Error::Deadline(SENDING)),
    }
}
