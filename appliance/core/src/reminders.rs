//! Reminding recipients of receipts that are due, by mail where they have it;
//! the log and their inbox say it in any case.

use std::sync::Arc;

use chancery_ipc::Client;
use chancery_pipeline::stages::due::Reminder;
use tracing::{info, warn};

use crate::app::App;
use crate::letter::{self, Letter};

/// Sends the reminders that wait. What cannot be sent now waits on.
pub(crate) async fn send(app: &Arc<App>, door: &Client) {
    if app.mail.is_none() || !door.is_connected() {
        return;
    }
    for reminder in app.take_reminders() {
        let delivery = reminder.delivery;
        let letter = Letter {
            to: reminder.recipient.clone(),
            about: reminder.message,
            subject: "A receipt is due",
            body: body(&reminder),
            due: reminder.due,
        };
        match letter::send(app, door, letter).await {
            Ok(()) => info!(%delivery, "the recipient was reminded of a receipt"),
            Err(error) => {
                warn!(%error, %delivery, "a reminder could not be sent now");
                app.remind(vec![reminder]);
                return;
            }
        }
    }
}

fn body(reminder: &Reminder) -> String {
    format!(
        "You were given a message that needs a receipt, and have not acknowledged it.\n\n\
         Delivery:  {}\n\
         Level:     {}\n\
         Due since: {}\n\n\
         Acknowledge it where you fetched it (chancery inbox --ack, or the channel's own receipt).\n\
         If it stays open as long again, it is overdue, and further traffic to you may be held.\n",
        reminder.delivery,
        reminder.level.code(),
        reminder.due,
    )
}
