//! A large attachment by REST, in and out, and the most memory that each
//! process had: designed not to grow with the attachment.

use std::time::Instant;

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::far::Far;
use crate::node::Node;

pub(crate) fn run(arguments: &[String]) {
    let most: usize = arguments
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100);
    let node = Node::start(&[("csirt-alpha", "rest"), ("cert-eu", "rest")]);
    let runtime = Runtime::new().unwrap();
    let start = node.peaks();
    runtime.block_on(through(&node, 1));
    let small = node.peaks();
    runtime.block_on(through(&node, most));
    let large = node.peaks();
    println!(
        "{:<14} {:>12} {:>12} {:>14}   peak memory, MiB",
        "process",
        "at start",
        "after 1 MiB",
        format!("after {most} MiB")
    );
    for (name, peak) in &large {
        let before = start.get(name).copied().unwrap_or_default();
        let with_small = small.get(name).copied().unwrap_or_default();
        println!(
            "{name:<14} {:>12.1} {:>12.1} {:>14.1}",
            mib(before),
            mib(with_small),
            mib(*peak)
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "memory of one machine")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Uploads, sends, fetches and compares.
async fn through(node: &Node, mebibytes: usize) {
    let content: Vec<u8> = (0..mebibytes << 20)
        .map(|at| u8::try_from((at ^ (at >> 11)) & 0xff).unwrap_or_default())
        .collect();
    let content = Bytes::from(content);
    let mut sender = Far::connect(&node.profile("csirt-alpha", "rest")).await;
    let begin = Instant::now();
    let uploaded = sender
        .ask(
            Method::POST,
            "/attachments",
            "application/octet-stream",
            content.clone(),
        )
        .await;
    let uploaded: serde_json::Value = serde_json::from_slice(&uploaded).unwrap();
    let in_ = begin.elapsed();
    let submission = json!({
        "to": ["cert-eu"], "label": "RESTREINT UE/EU RESTRICTED", "subject": "large", "body": "See the attachment.",
        "personal_data": false,
        "attachments": [{
            "name": "large.bin", "media_type": "application/octet-stream",
            "id": uploaded["id"],
        }],
    });
    sender.post("/messages", &submission).await;
    let mut recipient = Far::connect(&node.profile("cert-eu", "rest")).await;
    let delivery = recipient.waiting().await.remove(0);
    recipient.get(&format!("/inbox/{delivery}")).await;
    let begin = Instant::now();
    let fetched = recipient
        .ask(
            Method::GET,
            &format!("/inbox/{delivery}/attachments/0"),
            "application/json",
            Bytes::new(),
        )
        .await;
    let out = begin.elapsed();
    assert!(fetched == content, "what came out is not what went in");
    let acknowledge = format!("/inbox/{delivery}/ack");
    recipient
        .ask(Method::POST, &acknowledge, "application/json", Bytes::new())
        .await;
    #[allow(clippy::cast_precision_loss, reason = "a few hundred")]
    let rate = |time: std::time::Duration| mebibytes as f64 / time.as_secs_f64();
    println!(
        "{mebibytes} MiB: in {in_:.2?} ({:.1} MiB/s), out {out:.2?} ({:.1} MiB/s)",
        rate(in_),
        rate(out)
    );
}
