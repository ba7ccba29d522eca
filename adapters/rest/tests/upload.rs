//! An upload whose size the door's memory does not follow. Alone in its
//! process, since it looks at the peak memory of the whole.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod double;

use std::sync::Arc;

use double::{Double, serve};
use tokio::process::Command;

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_100_mib_takes_bounded_memory() {
    for flag in ["--http1.1", "--http2-prior-knowledge"] {
        let gate = Arc::new(Double::default());
        let root = serve(&gate).await;
        let before = resident();
        // Straight from a pipe: of unknown length, so the cap is kept while reading.
        let script = format!(
            "head -c 104857600 /dev/zero | curl {flag} -s -o /dev/null -w '%{{http_code}}' -X POST -T - \
             -H 'content-type: application/pdf' {root}/attachments"
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .output()
            .await
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "201", "{flag}");
        assert_eq!(
            gate.seen().uploads,
            [("application/pdf".to_owned(), None, 104_857_600)]
        );
        let grown = resident().saturating_sub(before);
        assert!(
            grown < 16 * 1024 * 1024,
            "{flag}: the peak grew by {grown} bytes"
        );
    }
}
