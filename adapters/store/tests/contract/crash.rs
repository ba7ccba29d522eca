//! `kill -9` of the process that writes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use chancery_pipeline::ports::{Ledger as _, Step, Write};

use crate::support::rows::*;
use crate::support::world::{World, config, log};

const URL: &str = "CHANCERY_STORE_TEST_URL";
const ROUND: &str = "CHANCERY_STORE_TEST_ROUND";

/// Not a test by itself: what the killed process does. It tells every step that
/// was acknowledged, and every registration number that it was given.
#[test]
#[ignore = "run by the tests that kill it"]
fn writer() {
    let Ok(url) = std::env::var(URL) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let store = chancery_store::Store::open(&url, &log(), &config()).unwrap();
    std::thread::scope(|scope| {
        for caller in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for count in 0.. {
                    let n = round * 10_000_000 + caller * 1_000_000 + count;
                    let registration = store.next_registration().unwrap();
                    let mut row = message(n);
                    row.registration = registration;
                    let step = Step {
                        writes: vec![Write::InsertMessage(Box::new(row))],
                        events: vec![event(n), event(n)],
                        ..Step::default()
                    };
                    let done = store.commit(step).unwrap();
                    let line = format!("\nack {n} {} {registration} .\n", done.first_seq);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

struct Ack {
    n: u64,
    seq: u64,
    registration: u64,
}

fn parse(line: &str) -> Option<Ack> {
    let mut words = line
        .strip_prefix("ack ")?
        .strip_suffix(" .")?
        .split(' ')
        .map(str::parse);
    match (words.next()?, words.next()?, words.next()?) {
        (Ok(n), Ok(seq), Ok(registration)) => Some(Ack {
            n,
            seq,
            registration,
        }),
        _ => None,
    }
}

/// Runs the writer until it has acknowledged so many steps, or by itself ended;
/// all that it acknowledged.
fn run(world: &World, round: u64, until: usize, crash_at: Option<&str>) -> Vec<Ack> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "crash::writer",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(URL, &world.url)
        .env(ROUND, round.to_string())
        .env("CHANCERY_CRASH_AT", crash_at.unwrap_or_default())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut acks: Vec<Ack> = lines
        .by_ref()
        .filter_map(|line| parse(&line))
        .take(until)
        .collect();
    child.kill().ok();
    // What it said before it died counts as well.
    acks.extend(lines.filter_map(|line| parse(&line)));
    child.wait().unwrap();
    acks
}

fn check(world: &World, acks: &[Ack]) {
    let store = world.open();
    for ack in acks {
        let row = store.message(&message_id(ack.n)).unwrap();
        assert_eq!(
            row.map(|row| row.registration),
            Some(ack.registration),
            "message {} was acknowledged",
            ack.n
        );
        let own: Vec<u64> = store
            .leaves_of(&message_id(ack.n))
            .unwrap()
            .iter()
            .map(|leaf| leaf.seq)
            .collect();
        assert_eq!(own, [ack.seq, ack.seq + 1]);
    }
    let head = store.head().unwrap();
    assert!(head.size >= 2 * acks.len() as u64);
    assert_eq!(head.size % 2, 0, "half a step is in the log");
    crate::log::check_whole_log(&store);
    let last = acks.iter().map(|ack| ack.registration).max().unwrap_or(0);
    assert!(store.next_registration().unwrap() > last);
}

pub(crate) fn no_acknowledged_step_is_lost_when_the_writer_is_killed(world: &World) {
    drop(world.open());
    let mut acks = Vec::new();
    for (round, until) in (0..).zip([1, 40, 7, 150, 90, 23]) {
        let new = run(world, round, until, None);
        assert!(new.len() >= until);
        acks.extend(new);
        check(world, &acks);
    }
}

/// As above, at the two places where it matters most.
#[cfg(feature = "crash-points")]
mod points {
    use super::*;

    fn at_every_point(world: &World) {
        drop(world.open());
        let mut acks = Vec::new();
        let places = ["store.before-commit", "store.after-commit"];
        for (round, (place, count)) in (0..).zip(
            places
                .iter()
                .flat_map(|place| [2, 9, 30].map(|count| (place, count))),
        ) {
            acks.extend(run(
                world,
                round,
                usize::MAX,
                Some(&format!("{place}:{count}")),
            ));
            check(world, &acks);
        }
        assert!(!acks.is_empty());
    }

    #[test]
    fn sqlite() {
        at_every_point(&World::sqlite());
    }

    #[test]
    fn postgres() {
        at_every_point(&World::postgres());
    }
}
