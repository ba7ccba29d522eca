//! Random facts, most of them well-formed, through the real `chancery policy
//! decide` in one run: each answer agrees with the second reading that the
//! policy crate's tests carry. `CHANCERY_RANDOM_FACTS` says how many; a million
//! must take the command less than two minutes of one core.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code,
    reason = "a helper of a test that fails ends the test"
)]

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

#[path = "../../../gateway/policy/tests/common/random.rs"]
mod random;
#[path = "../../../gateway/policy/tests/common/second.rs"]
mod second;

/// Ticks of the processor's clock in a second, as /proc counts (USER_HZ).
const TICKS: f64 = 100.0;

fn count() -> u64 {
    std::env::var("CHANCERY_RANDOM_FACTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000)
}

/// Seconds of processor time that a process has had.
fn processor(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    // utime and stime are the 14th and 15th field; two stand before the bracket.
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS
}

#[test]
fn the_command_decides_random_facts_as_the_second_reading_says() {
    let count = count();
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_chancery"))
        .args(["policy", "decide"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let (sent, lines) = mpsc::sync_channel(10_000);
    let (close, closed) = mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut random = random::Random(0x2545_F491_4F6C_DD1D);
        let mut stdin = BufWriter::with_capacity(1 << 16, stdin);
        for number in 0..count {
            let line = random::line(&format!("F{number}"), &mut random, number % 2 == 0);
            stdin.write_all(line.as_bytes()).unwrap();
            stdin.write_all(b"\n").unwrap();
            sent.send(line).unwrap();
        }
        stdin.flush().unwrap();
        drop(sent);
        // Open until its processor time was read.
        let _ended = closed.recv();
    });
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut permits, mut reviews, mut malformed) = (0, 0, 0);
    for line in lines {
        let answer = answers.next().expect("an answer for each line").unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let (verdict, gates) = second::second(&line);
        assert_eq!(answer["verdict"], verdict.as_str(), "{line}\n{answer}");
        assert_eq!(
            answer["gates"],
            serde_json::json!(gates),
            "{line}\n{answer}"
        );
        assert!(answer.get("alarms").is_none(), "{line}\n{answer}");
        permits += u64::from(verdict == "permit");
        reviews += u64::from(verdict == "review");
        malformed += u64::from(gates == ["G00"]);
    }
    let processor = processor(child.id());
    drop(close);
    writer.join().unwrap();
    assert!(answers.next().is_none(), "more answers than lines");
    assert!(child.wait().unwrap().success());
    // No kind of answer is missing.
    for (what, seen) in [
        ("permits", permits),
        ("reviews", reviews),
        ("malformed", malformed),
    ] {
        assert!(seen * 100 > count, "only {seen} {what} in {count}");
    }
    eprintln!(
        "{count} facts decided as the second reading says ({permits} permits, {reviews} reviews, {malformed} malformed): \
         {processor:.1} s of one core, {:.1} s in all",
        start.elapsed().as_secs_f64()
    );
    if count >= 1_000_000 {
        assert!(processor < 120.0, "{processor} s of one core for a million");
    }
}
