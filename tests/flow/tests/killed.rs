//! Daemons are killed at random moments while messages flow by every channel.
//! What was acknowledged arrives, once; the log verifies.
//!
//! `CHANCERY_KILLS_SEED` plays a printed run again (as far as a machine does the
//! same twice); `CHANCERY_KILLS_MESSAGES` and `CHANCERY_KILLS_ROUNDS` make it
//! longer (`tests/long kills`).
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may end where it fails; its seed is for people"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chancery_flow::tour::{R_UE, WRITER, World};
use chancery_world::command::until_some;
use chancery_world::mail::{armored, date, inner, outer, swaks};
use chancery_world::node::DOMAIN;
use chancery_world::siena::{element, message};
use chancery_world::{Setup, told, until_done};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is known of the messages, by number.
#[derive(Debug, Default)]
struct Book {
    /// Acknowledged to the sender; the id, where the channel tells one.
    acknowledged: BTreeMap<usize, Option<String>>,
    /// Arrived: each delivery by its id.
    arrived: BTreeMap<usize, Vec<String>>,
}

#[derive(Debug)]
struct Run {
    world: World,
    messages: usize,
    next: AtomicUsize,
    sent: AtomicBool,
    book: Mutex<Book>,
}

/// By which channel a message comes, and for whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Rest(&'static str, &'static str),
    Siena(&'static str),
    Mail(&'static str),
}

const fn way(number: usize) -> Way {
    match number % 10 {
        0..=3 => Way::Rest("csirt-alpha", "cert-eu"),
        4 => Way::Rest("cert-eu", "europol-ec3"),
        5 => Way::Rest("cert-eu", WRITER.0),
        6 | 7 => Way::Siena("csirt-alpha"),
        8 => Way::Mail("eu-military-staff"),
        _ => Way::Mail("europol-ec3"),
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

impl Run {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // === senders ===

    fn send_all(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.messages {
                return;
            }
            let id = match way(number) {
                Way::Rest(from, to) => Some(self.by_rest(number, from, to)),
                Way::Siena(to) => Some(self.by_siena(number, to)),
                Way::Mail(to) => {
                    self.by_mail(number, to);
                    None
                }
            };
            self.book().acknowledged.insert(number, id);
        }
    }

    fn by_rest(&self, number: usize, from: &str, to: &str) -> String {
        let profile = self.world.node.profile(from);
        let (subject, key) = (format!("message {number}"), format!("key-{number}"));
        // The same key again and again: done once.
        let answer = until_done(
            &[
                "send",
                "-",
                "--profile",
                &profile,
                "--to",
                to,
                "--label",
                R_UE,
                "--purpose",
                "cyber-crisis",
                "--no-personal-data",
                "--subject",
                &subject,
                "--idempotency-key",
                &key,
            ],
            "text",
        );
        answer["id"].as_str().expect("an id").to_owned()
    }

    fn by_siena(&self, number: usize, to: &str) -> String {
        let document = message(to, R_UE, &format!("message {number}"), "text", None);
        let key = format!("key-{number}");
        until_some("a SIENA-style message to be taken", || {
            let answer = self.world.europol.send(&document, Some(&key));
            match answer.status {
                // Not there, or not now.
                0 | 503 => None,
                200 | 202 => Some(
                    element(&answer.body, "messageId")
                        .or_else(|| chancery_world::siena::attribute(&answer.body, "id"))
                        .expect("an id"),
                ),
                _ => panic!("message {number}: {answer:?}"),
            }
        })
    }

    fn by_mail(&self, number: usize, to: &str) {
        let world = &self.world;
        let inside = inner(R_UE, &format!("message {number}"), "text");
        let sealed = world.gpg.seal(&world.gateway_key, &inside);
        let to = format!("{to}@{DOMAIN}");
        let mail = outer(WRITER.1, &to, &format!("kill-{number}"), &date(), &sealed);
        let until = Instant::now() + PATIENCE;
        loop {
            let (door, ca) = (world.node.smtp(), world.node.ca());
            let sent = swaks(door, &ca, WRITER.1, &to, &mail);
            if sent.status.success() {
                return;
            }
            let said = told(&sent);
            let refused = said.contains("<** 5") || said.contains("<~* 5");
            assert!(!refused && Instant::now() < until, "mail {number}: {said}");
        }
    }

    // === recipients ===

    fn arrives(&self, subject: &str, delivery: &str) {
        let number: usize = subject
            .strip_prefix("message ")
            .and_then(|number| number.parse().ok())
            .expect("a subject of ours");
        let mut book = self.book();
        let deliveries = book.arrived.entry(number).or_default();
        if !deliveries.iter().any(|there| there == delivery) {
            deliveries.push(delivery.to_owned());
        }
    }

    fn empty_rest(&self, who: &str) {
        let profile = self.world.node.profile(who);
        let inbox = |more: &[&str]| {
            let mut all = vec!["inbox", "--profile", &profile];
            all.extend(more);
            until_done(&all, "")
        };
        loop {
            let last = self.sent.load(Ordering::Acquire);
            let listed = inbox(&["--wait", "1", "--limit", "200"]);
            let deliveries = listed["deliveries"].as_array().expect("a list");
            for delivery in deliveries {
                let id = delivery["delivery"].as_str().expect("an id");
                let fetched = inbox(&["--fetch", id]);
                assert_eq!(fetched["delivery"], id);
                self.arrives(fetched["subject"].as_str().expect("a subject"), id);
                let _done = inbox(&["--ack", id]);
            }
            if last && deliveries.is_empty() {
                return;
            }
        }
    }

    fn empty_siena(&self) {
        let europol = &self.world.europol;
        let good = |answer: chancery_world::siena::Answer| match answer.status {
            0 | 503 => None,
            200 => Some(answer.body),
            _ => panic!("{answer:?}"),
        };
        loop {
            let last = self.sent.load(Ordering::Acquire);
            let listed = until_some("the SIENA-style inbox", || match europol.list(1) {
                Ok(listed) => Some(listed),
                Err(answer) => good(answer).map(|_| Vec::new()),
            });
            for id in &listed {
                let fetched = until_some("a delivery", || good(europol.fetch(id)));
                self.arrives(&element(&fetched, "subject").expect("a subject"), id);
                let _done = until_some("an acknowledgement", || good(europol.acknowledge(id)));
            }
            if last && listed.is_empty() {
                return;
            }
        }
    }

    // === death ===

    /// Every daemon dies once in each round, in an order and at moments that the
    /// seed gives; now and then two at once.
    fn kill_all(&self, rounds: usize, chance: &mut StdRng) {
        let node = &self.world.node;
        let daemons = node.daemons();
        let deaths = rounds * daemons.len();
        for round in 0..rounds {
            let mut victims = daemons.clone();
            victims.shuffle(chance);
            for (place, victim) in victims.iter().enumerate() {
                let done = round * daemons.len() + place;
                let slice = self.messages / (deaths + 1);
                let at = done * slice + chance.random_range(1..=slice.max(1));
                let until = Instant::now() + PATIENCE;
                while self.book().acknowledged.len() < at {
                    assert!(
                        Instant::now() < until,
                        "messages no longer flow: {}",
                        node.last_lines()
                    );
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                std::thread::park_timeout(Duration::from_millis(chance.random_range(0..300)));
                let dead = node.kill_only(victim);
                if chance.random_ratio(1, 4) {
                    let another = victims.choose(chance).expect("a daemon");
                    let _too = node.kill_only(another);
                }
                node.wait_for_all(victim, dead);
            }
        }
    }
}

#[test]
fn what_was_acknowledged_arrives_once_though_every_daemon_is_killed() {
    let seed = setting("CHANCERY_KILLS_SEED").unwrap_or_else(rand::random::<u64>);
    let messages = setting("CHANCERY_KILLS_MESSAGES").unwrap_or(200);
    let rounds = setting("CHANCERY_KILLS_ROUNDS").unwrap_or(1);
    println!("CHANCERY_KILLS_SEED={seed}");
    let run = Run {
        world: World::start(Setup::default()),
        messages,
        next: AtomicUsize::new(0),
        sent: AtomicBool::new(false),
        book: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4).map(|_| scope.spawn(|| run.send_all())).collect();
        for who in ["cert-eu", "csirt-alpha", "eu-military-staff"] {
            let run = &run;
            scope.spawn(move || run.empty_rest(who));
        }
        scope.spawn(|| run.empty_siena());
        run.kill_all(rounds, &mut StdRng::seed_from_u64(seed));
        for sender in senders {
            sender.join().expect("all is sent");
        }
        run.sent.store(true, Ordering::Release);
    });
    judge(&run);
}

fn judge(run: &Run) {
    let node = &run.world.node;
    let mut book = run.book();
    assert_eq!(book.acknowledged.len(), run.messages);
    // What went out by mail: how it ended, and what the receiver has.
    let mut uncertain = Vec::new();
    for (number, id) in &book.acknowledged {
        if way(*number) != Way::Rest("cert-eu", WRITER.0) {
            continue;
        }
        let id = id.as_deref().expect("REST tells an id");
        let ended = until_some("a mail to be sent", || {
            let state = mail_state(&node.user("cert-eu", &["status", id], ""));
            (state != "queued" && state != "opened" && state != "deferred").then_some(state)
        });
        match ended.as_str() {
            "completed" => {}
            // Nobody knows whether the other side has it: told to people, never sent again.
            "uncertain" => uncertain.push(*number),
            other => panic!("mail {number} is {other}"),
        }
    }
    for (place, mail) in run.world.sink.mails().iter().enumerate() {
        let opened = run
            .world
            .gpg
            .open(&run.world.gateway_key, &armored(&mail.data));
        assert!(opened.signature_good);
        let text = String::from_utf8_lossy(&opened.text).into_owned();
        let number: usize = text
            .split_once("message ")
            .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next())
            .and_then(|number| number.parse().ok())
            .expect("a subject of ours");
        let deliveries = book.arrived.entry(number).or_default();
        deliveries.push(format!("mail {place}"));
    }
    // A message whose reader died twice under it is kept for an officer.
    let kept = node
        .officer("greta", &["review", "list"])
        .iter()
        .filter(|case| case["quarantine"].is_string())
        .count();
    let missing: Vec<usize> = book
        .acknowledged
        .keys()
        .filter(|number| !book.arrived.contains_key(number) && !uncertain.contains(number))
        .copied()
        .collect();
    println!(
        "{} messages, {kept} kept for an officer, {} uncertain",
        run.messages,
        uncertain.len()
    );
    assert_eq!(
        missing.len(),
        kept,
        "neither delivered nor held: {missing:?}"
    );
    for (number, deliveries) in &book.arrived {
        assert!(
            book.acknowledged.contains_key(number),
            "{number} was never sent"
        );
        assert_eq!(deliveries.len(), 1, "message {number} came twice");
    }
    drop(book);
    let _log = node.sound_log();
}

fn mail_state(status: &Value) -> String {
    status["recipients"][0]["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
