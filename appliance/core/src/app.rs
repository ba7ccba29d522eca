//! What all of core's tasks share.

use std::sync::{Arc, PoisonError};

use chancery_audit::LogId;
use chancery_hsm_custodian::{CustodyClient, Head};
use chancery_mail::content::certificate::OwnCertificate;
use chancery_pipeline::gateway::Gateway;
use chancery_pipeline::stages::due::Reminder;
use tokio::sync::watch;

use crate::checkpoints::Anchor;
use crate::condition::{Counts, Presence};
use crate::tickets::Tickets;

/// Core's shared state.
pub(crate) struct App {
    pub(crate) gateway: Gateway,
    pub(crate) keys: Arc<CustodyClient>,
    pub(crate) log: LogId,
    pub(crate) tickets: Tickets,
    pub(crate) mail: Option<MailIdentity>,
    pub(crate) anchor: Anchor,
    /// The head of the custodian's own log that was recorded last.
    pub(crate) custody_head: std::sync::Mutex<Option<Head>>,
    /// Who of the node's processes is connected.
    pub(crate) presence: Presence,
    /// What happened since core started.
    pub(crate) counts: Counts,
    /// Reminders that are to be sent by mail.
    reminders: std::sync::Mutex<Vec<Reminder>>,
    /// Counts up whenever a delivery may have become due.
    news: watch::Sender<u64>,
}

/// Who the gateway is in mail.
pub(crate) struct MailIdentity {
    /// The envelope and header sender.
    pub(crate) sender: String,
    /// The gateway's own OpenPGP certificate.
    pub(crate) certificate: OwnCertificate,
    /// The domain in which participants are addressed.
    pub(crate) domain: String,
}

impl App {
    pub(crate) fn new(
        gateway: Gateway,
        keys: Arc<CustodyClient>,
        log: LogId,
        mail: Option<MailIdentity>,
    ) -> Self {
        Self {
            gateway,
            keys,
            log,
            tickets: Tickets::default(),
            mail,
            anchor: Anchor::default(),
            custody_head: std::sync::Mutex::default(),
            presence: Presence::default(),
            counts: Counts::default(),
            reminders: std::sync::Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    /// Something may be due: inboxes that wait and the mailer look again.
    pub(crate) fn announce(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Has the mailer send these.
    pub(crate) fn remind(&self, more: Vec<Reminder>) {
        let mut waiting = self
            .reminders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.extend(more);
    }

    /// The reminders that wait to be sent.
    pub(crate) fn take_reminders(&self) -> Vec<Reminder> {
        std::mem::take(
            &mut *self
                .reminders
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Tells when something may be due.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}
