//! The supervisor at work: one loop over what its processes do, what it is
//! told, and what is due.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::links::{Command, Order, Role, link_pair};
use crate::supervise::backoff::Backoff;
use crate::supervise::process::{Process, Seen};
use crate::supervise::{Child, Event, SuperviseError, Timing};

pub(super) struct Run<F> {
    children: Vec<Supervised>,
    timing: Timing,
    on_event: F,
    phase: Phase,
    lives: u64,
    report: mpsc::UnboundedSender<(usize, u64, Seen)>,
    reports: mpsc::UnboundedReceiver<(usize, u64, Seen)>,
    failed: Option<SuperviseError>,
}

struct Supervised {
    child: Child,
    process: Option<Process>,
    backoff: Backoff,
    /// When to start it again.
    due: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The stage that starts now.
    Starting(u8),
    Running,
    /// The stage that stops now, and when it is killed.
    Stopping(u8, Instant),
    Over,
}

enum Next {
    Report(usize, u64, Seen),
    Order(Command),
    Due,
}

// === impl Run ===

impl<F: FnMut(Event) + Send> Run<F> {
    pub(super) fn new(children: Vec<Child>, timing: Timing, on_event: F) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        let children = children
            .into_iter()
            .map(|child| Supervised {
                child,
                process: None,
                backoff: Backoff::default(),
                due: None,
            })
            .collect();
        let phase = Phase::Running;
        Self {
            children,
            timing,
            on_event,
            phase,
            lives: 0,
            report,
            reports,
            failed: None,
        }
    }

    pub(super) async fn until_stopped(
        mut self,
        mut orders: mpsc::Receiver<Command>,
    ) -> Result<(), SuperviseError> {
        match self.stages().min() {
            Some(first) => self.start_stage(first),
            None => return Ok(()),
        }
        let mut ordered = true;
        loop {
            self.advance();
            if self.phase == Phase::Over {
                return self.failed.map_or(Ok(()), Err);
            }
            let due = self.next_due();
            let next = tokio::select! {
                Some((place, life, seen)) = self.reports.recv() => Next::Report(place, life, seen),
                order = orders.recv(), if ordered => match order {
                    Some(order) => Next::Order(order),
                    None => {
                        ordered = false;
                        Next::Order(Command::Stop)
                    }
                },
                () = sleep_until(due) => Next::Due,
            };
            match next {
                Next::Report(place, life, seen) => self.on_report(place, life, seen),
                Next::Order(Command::Stop) => self.stop(),
                Next::Order(Command::Reload) => self.reload(),
                Next::Due => self.on_due(),
            }
        }
    }

    fn stages(&self) -> impl Iterator<Item = u8> + '_ {
        self.children
            .iter()
            .map(|supervised| supervised.child.stage)
    }

    /// Goes on to the next stage when this one is through.
    fn advance(&mut self) {
        loop {
            match self.phase {
                Phase::Starting(stage) => {
                    let waiting = self.children.iter().any(|supervised| {
                        supervised.child.stage == stage
                            && !supervised
                                .process
                                .as_ref()
                                .is_some_and(|process| process.ready)
                    });
                    if waiting {
                        return;
                    }
                    match self.stages().filter(|next| *next > stage).min() {
                        Some(next) => self.start_stage(next),
                        None => {
                            self.phase = Phase::Running;
                            (self.on_event)(Event::AllReady);
                        }
                    }
                }
                Phase::Stopping(stage, _) => {
                    let living = |supervised: &&Supervised| supervised.process.is_some();
                    if self
                        .children
                        .iter()
                        .filter(living)
                        .any(|s| s.child.stage == stage)
                    {
                        return;
                    }
                    match self
                        .children
                        .iter()
                        .filter(living)
                        .map(|s| s.child.stage)
                        .max()
                    {
                        Some(next) => self.stop_stage(next),
                        None => self.phase = Phase::Over,
                    }
                }
                Phase::Running | Phase::Over => return,
            }
        }
    }

    fn start_stage(&mut self, stage: u8) {
        self.phase = Phase::Starting(stage);
        let places: Vec<usize> = self
            .children
            .iter()
            .enumerate()
            .filter(|(_, supervised)| supervised.child.stage == stage)
            .map(|(place, _)| place)
            .collect();
        for place in places {
            self.launch(place);
        }
    }

    fn launch(&mut self, place: usize) {
        self.lives += 1;
        let life = self.lives;
        let Some(supervised) = self.children.get_mut(place) else {
            return;
        };
        supervised.due = None;
        let name = supervised.child.name.clone();
        match Process::start(&supervised.child, place, life, self.report.clone()) {
            Ok(process) => {
                let pid = process.pid;
                supervised.process = Some(process);
                (self.on_event)(Event::Started { name, pid });
                self.wire(place);
            }
            Err(error) => {
                (self.on_event)(Event::CannotStart {
                    name: name.clone(),
                    error: error.to_string(),
                });
                if matches!(self.phase, Phase::Starting(_)) {
                    self.give_up(name, error.to_string());
                } else {
                    self.restart_later(place, Duration::ZERO);
                }
            }
        }
    }

    /// New pairs between this process and all its neighbours that run.
    fn wire(&mut self, place: usize) {
        let Some(new) = self.children.get(place) else {
            return;
        };
        let mut deaf = Vec::new();
        for (client_place, client) in self.children.iter().enumerate() {
            for ask in &client.child.asks {
                let about_it = client_place == place || ask.server == new.child.name;
                let server = self
                    .children
                    .iter()
                    .enumerate()
                    .find(|(_, s)| s.child.name == ask.server);
                let (true, Some((server_place, server))) = (about_it, server) else {
                    continue;
                };
                let (Some(asks), Some(answers)) = (&client.process, &server.process) else {
                    continue;
                };
                let (client_end, server_end) = match link_pair() {
                    Ok(pair) => pair,
                    Err(error) => {
                        tracing::error!(tag = %ask.tag, %error, "no socket for a link");
                        deaf.push(place);
                        continue;
                    }
                };
                let tag = ask.tag.as_str();
                // Who ended meanwhile gets new pairs when it starts again; who
                // does not read its control socket is stuck.
                if is_stuck(answers.give(tag, Role::Server, &server_end)) {
                    deaf.push(server_place);
                }
                if is_stuck(asks.give(tag, Role::Client, &client_end)) {
                    deaf.push(client_place);
                }
            }
        }
        for place in deaf {
            self.kill(place);
        }
    }

    fn on_report(&mut self, place: usize, life: u64, seen: Seen) {
        let Some(supervised) = self.children.get_mut(place) else {
            return;
        };
        let Some(process) = supervised
            .process
            .as_mut()
            .filter(|process| process.life == life)
        else {
            return;
        };
        let name = supervised.child.name.clone();
        match seen {
            Seen::Ready => {
                if !std::mem::replace(&mut process.ready, true) {
                    (self.on_event)(Event::Ready { name });
                }
            }
            Seen::Ended(ended) => {
                let lived = process.born.elapsed();
                let was_ready = process.ready;
                supervised.process = None;
                let status = match ended {
                    Ok(status) => status,
                    Err(error) => {
                        tracing::error!(name, %error, "how a process ended is not known");
                        std::process::ExitStatus::default()
                    }
                };
                if matches!(self.phase, Phase::Stopping(..)) {
                    (self.on_event)(Event::Stopped { name, status });
                    return;
                }
                (self.on_event)(Event::Died {
                    name: name.clone(),
                    status,
                    lived,
                });
                // A process that ends by itself before it ever served will do
                // so again; one that was killed may have been unlucky.
                let by_itself = status.code().is_some();
                if matches!(self.phase, Phase::Starting(_)) && !was_ready && by_itself {
                    self.give_up(name, status.to_string());
                } else {
                    self.restart_later(place, lived);
                }
            }
        }
    }

    fn restart_later(&mut self, place: usize, lived: Duration) {
        let Some(supervised) = self.children.get_mut(place) else {
            return;
        };
        let after = supervised.backoff.pause(lived, &self.timing);
        supervised.due = Some(Instant::now() + after);
        (self.on_event)(Event::Restarting {
            name: supervised.child.name.clone(),
            after,
        });
    }

    fn give_up(&mut self, name: String, how: String) {
        self.failed
            .get_or_insert(SuperviseError::DidNotStart { name, how });
        self.stop();
    }

    /// The first time in order, the second time at once.
    fn stop(&mut self) {
        for supervised in &mut self.children {
            supervised.due = None;
        }
        if matches!(self.phase, Phase::Stopping(..)) {
            for place in 0..self.children.len() {
                self.kill(place);
            }
            return;
        }
        (self.on_event)(Event::Stopping);
        match self.stages().max() {
            Some(last) => self.stop_stage(last),
            None => self.phase = Phase::Over,
        }
    }

    fn stop_stage(&mut self, stage: u8) {
        self.phase = Phase::Stopping(stage, Instant::now() + self.timing.stop);
        self.broadcast(&Order::Stop, |child| child.stage == stage);
    }

    fn reload(&mut self) {
        if !matches!(self.phase, Phase::Stopping(..)) {
            (self.on_event)(Event::Reloading);
            self.broadcast(&Order::Reload, |_| true);
        }
    }

    fn broadcast(&mut self, order: &Order, to: impl Fn(&Child) -> bool) {
        let stuck: Vec<usize> = self
            .children
            .iter()
            .enumerate()
            .filter(|(_, supervised)| to(&supervised.child))
            .filter(|(_, supervised)| {
                supervised
                    .process
                    .as_ref()
                    .is_some_and(|process| is_stuck(process.order(order)))
            })
            .map(|(place, _)| place)
            .collect();
        for place in stuck {
            self.kill(place);
        }
    }

    fn kill(&mut self, place: usize) {
        if let Some(supervised) = self.children.get_mut(place)
            && let Some(process) = &mut supervised.process
            && process.kill()
        {
            (self.on_event)(Event::Killing {
                name: supervised.child.name.clone(),
            });
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let restarts = self.children.iter().filter_map(|supervised| supervised.due);
        let readiness = self.children.iter().filter_map(|supervised| {
            supervised
                .process
                .as_ref()
                .filter(|process| !process.ready && process.can_be_killed())
                .map(|process| process.born + self.timing.ready)
        });
        let next = restarts.chain(readiness).min();
        match self.phase {
            Phase::Stopping(stage, deadline) => self
                .children
                .iter()
                .any(|s| {
                    s.child.stage == stage && s.process.as_ref().is_some_and(Process::can_be_killed)
                })
                .then_some(deadline),
            _ => next,
        }
    }

    fn on_due(&mut self) {
        let now = Instant::now();
        let stopping = match self.phase {
            Phase::Stopping(stage, deadline) if deadline <= now => Some(stage),
            _ => None,
        };
        for place in 0..self.children.len() {
            let Some(supervised) = self.children.get(place) else {
                continue;
            };
            let late = supervised
                .process
                .as_ref()
                .is_some_and(|process| !process.ready && process.born + self.timing.ready <= now);
            if supervised.due.is_some_and(|due| due <= now) {
                self.launch(place);
            } else if stopping == Some(supervised.child.stage) || late {
                self.kill(place);
            }
        }
    }
}

/// Whether a message could not be left because the other end does not read. An
/// end that is closed is no such case: that process has ended.
fn is_stuck(sent: std::io::Result<()>) -> bool {
    sent.is_err_and(|error| {
        error.kind() != std::io::ErrorKind::BrokenPipe
            && error.kind() != std::io::ErrorKind::ConnectionReset
    })
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
