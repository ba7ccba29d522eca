//! A stranger's client (curl) over real sockets, HTTP/1.1 and HTTP/2.
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

async fn curl(version: &str, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args([
            version,
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--write-out",
            "\n%{http_code} %{http_version}",
        ])
        .args(arguments)
        .output()
        .await
        .expect("curl is needed for this test: install the package curl");
    assert!(
        output.status.success(),
        "curl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

const VERSIONS: [(&str, &str); 2] = [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sends_asks_and_is_refused() {
    for (flag, version) in VERSIONS {
        let gate = Arc::new(Double {
            stream: 64 * 1024 * 20,
            chunks: 20,
            ..Double::default()
        });
        let root = serve(&gate).await;
        let messages = format!("{root}/messages");
        let json = ["--header", "content-type: application/json"];
        let sent = curl(
            flag,
            &[json[0], json[1], "--data", "{\"to\":[]}", &messages],
        )
        .await;
        assert_eq!(sent, format!("{{\"submitted\":true}}\n202 {version}"));
        assert_eq!(gate.seen().submitted[0].1, b"{\"to\":[]}");

        let asked = curl(flag, &[&format!("{root}/inbox?wait=1")]).await;
        assert_eq!(asked, format!("{{\"asked\":true}}\n200 {version}"));

        let form = curl(flag, &["--form", "a=b", &messages]).await;
        assert!(form.ends_with(&format!("415 {version}")), "{form}");

        let large = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(large.path(), "x".repeat(3 * 1024 * 1024)).unwrap();
        let at = format!("@{}", large.path().display());
        let refused = curl(flag, &[json[0], json[1], "--data-binary", &at, &messages]).await;
        assert!(
            refused.ends_with(&format!("413 {version}")),
            "{refused:.300}"
        );

        let bytes = curl(flag, &[&format!("{root}/inbox/d-1/attachments/0")]).await;
        assert!(
            bytes.len() > 64 * 1024 * 20 && bytes.ends_with(&format!("200 {version}")),
            "{}",
            bytes.len()
        );
    }
}
