//! The commands that people type.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The folder of the programs.
pub fn programs() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    // target/PROFILE/deps/TEST, or target/PROFILE/PROGRAM
    let mut folder = me.parent().unwrap();
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap();
    }
    let folder = folder.to_owned();
    let chancery = folder.join("chancery");
    assert!(
        chancery.is_file(),
        "{} is not built: cargo build --workspace",
        chancery.display()
    );
    folder
}

/// Runs `chancery` with these arguments and this input.
pub fn chancery(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(programs().join("chancery"));
    command.args(arguments);
    piped(command, input.as_bytes())
}

/// Runs a program with this input.
pub fn piped(mut command: Command, input: &[u8]) -> Output {
    let name = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be started: {error}", name.display()));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that needs no input may be gone by now.
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// What it said, for a message.
pub fn told(output: &Output) -> String {
    format!(
        "{}: {} {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs a command that must succeed; its output.
pub fn good(arguments: &[&str], input: &str) -> String {
    let output = chancery(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Its answer for machines.
pub fn json(arguments: &[&str], input: &str) -> Value {
    let mut all = vec!["--json"];
    all.extend(arguments);
    serde_json::from_str(&good(&all, input)).unwrap()
}

/// Repeats a command until it succeeds; its answer for machines.
pub fn until_done(arguments: &[&str], input: &str) -> Value {
    let mut all = vec!["--json"];
    all.extend(arguments);
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let output = chancery(&all, input);
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap_or_default();
        }
        assert!(Instant::now() < until, "{arguments:?}: {}", told(&output));
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Looks again and again until something is there.
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
