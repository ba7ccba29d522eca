//! What a daemon is told while it runs: by the supervisor over its control
//! socket, or by systemd's signals.

use tokio::sync::watch;

use super::{Links, Source, inherited};

/// What the supervisor, or systemd, asks of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Finish what is under way and end.
    Stop,
    /// Read again what may be read again while running.
    Reload,
}

/// The orders to a daemon, see [`Links::commands`].
#[derive(Debug)]
pub struct Commands {
    orders: watch::Receiver<(bool, u64)>,
    reloads: u64,
    links: Links,
    signals: Option<inherited::Signals>,
}

// === impl Links ===

impl Links {
    /// The next order. [`Command::Stop`] is repeated for ever; reloads that
    /// came while nobody listened count as one.
    #[must_use]
    pub fn commands(&self) -> Commands {
        let orders = self.inner.orders.subscribe();
        Commands {
            orders,
            reloads: 0,
            links: self.clone(),
            signals: None,
        }
    }
}

// === impl Commands ===

impl Commands {
    /// The next order; waits. Under systemd the signals TERM (and INT) and HUP
    /// are the orders.
    pub async fn next(&mut self) -> Command {
        if matches!(self.links.inner.source, Source::Systemd { .. }) {
            if self.signals.is_none() {
                self.signals = inherited::Signals::new().ok();
            }
            return match &mut self.signals {
                Some(signals) => signals.next().await,
                // Without handlers the signals end the process themselves.
                None => std::future::pending().await,
            };
        }
        loop {
            let (stop, reloads) = *self.orders.borrow_and_update();
            if stop {
                return Command::Stop;
            }
            if reloads != self.reloads {
                self.reloads = reloads;
                return Command::Reload;
            }
            // INVARIANT: `self.links` holds the sending end.
            let _open = self.orders.changed().await;
        }
    }
}
