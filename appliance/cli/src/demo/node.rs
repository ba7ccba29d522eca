//! The node of the demo: `chancery run` as a process of its own, its log in a
//! file that is searched afterwards.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::failure::{Failure, failed};
use crate::{files, out};

/// How long the node may take until it serves.
const READY: Duration = Duration::from_secs(90);

/// A running node.
pub(super) struct Node {
    child: Child,
    log: PathBuf,
}

impl Node {
    /// Starts the node and waits until it serves.
    pub(super) async fn start(
        config: &Path,
        programs: &Path,
        filter: &str,
        log: PathBuf,
    ) -> Result<Self, Failure> {
        let me = std::env::current_exe().map_err(failed("the path of this program"))?;
        let mut child = Command::new(me)
            .args([
                "--json",
                "run",
                "--until-input-ends",
                "--log",
                filter,
                "--config",
            ])
            .arg(config)
            .arg("--programs")
            .arg(programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed("the node"))?;
        let mut lines = BufReader::new(
            child
                .stderr
                .take()
                .ok_or_else(|| Failure::new("the node has no log"))?,
        )
        .lines();
        files::create(&log, 0o600, b"")?;
        let mut file = tokio::fs::OpenOptions::new()
            .append(true)
            .open(&log)
            .await
            .map_err(failed("the node's log"))?;
        let (serves, mut ready) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line == r#"{"event":"all-ready"}"# {
                    serves.send_replace(true);
                }
                let written = file.write_all(format!("{line}\n").as_bytes()).await;
                if written.is_err() || file.flush().await.is_err() {
                    return;
                }
            }
        });
        let node = Self { child, log };
        let waited = tokio::time::timeout(READY, ready.wait_for(|serves| *serves)).await;
        if matches!(waited, Ok(Ok(_))) {
            return Ok(node);
        }
        node.last_words()?;
        Err(Failure::new("the node did not start: see above"))
    }

    /// Stops the node in order.
    pub(super) async fn stop(&mut self) {
        // Its input ends, and with it the node.
        drop(self.child.stdin.take());
        if tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .is_err()
        {
            let _killed = self.child.kill().await;
        }
    }

    /// Shows the end of the node's log.
    pub(super) fn last_words(&self) -> Result<(), Failure> {
        let text = files::read(&self.log, 1 << 28)?;
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(12)) {
            out::line(format_args!("  {line}"))?;
        }
        Ok(())
    }
}
