//! End to end through the real programs of a node on SQLite, small messages:
//! latency from acknowledgement to delivery, messages per second, and the same
//! work done by its pieces alone (`pieces`), as a ratio.
//!
//! The node and its partners share the machine's processors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::alone;
use crate::far::Far;
use crate::mail::Post;
use crate::measure;
use crate::node::Node;
use crate::pieces::{self, Done};

/// Who sends by which channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Rest,
    Siena,
}

pub(crate) fn run(arguments: &[String]) {
    let messages: usize = arguments
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(400);
    let runtime = Runtime::new().unwrap();
    let mut node = Node::start(&[
        ("csirt-alpha", "rest"),
        ("cert-eu", "rest"),
        ("europol-ec3", "siena"),
    ]);
    runtime.block_on(check(&node, messages.min(200)));
    let mut totals = Vec::new();
    for (name, from) in [("REST to REST", From::Rest), ("SIENA to REST", From::Siena)] {
        runtime.block_on(one_by_one(&node, name, from, (messages / 4).max(10)));
        let done = watched(&node, messages, false, || {
            runtime.block_on(many(&node, name, from, messages))
        });
        totals.push((name, done));
    }
    node.stop();
    let pieces = alone::measure(&node, &[]);
    for (name, done) in &totals {
        pieces::beside(&node, name, done, &pieces);
    }
    drop(node);
    by_mail(messages);
}

fn by_mail(messages: usize) {
    let name = "PGP mail to PGP mail";
    let mut post = Post::start();
    post.one_by_one(name, (messages / 4).max(10));
    let mails = post.prepared(messages);
    let example = post.example();
    let done = watched(&post.node, messages, true, || post.many(name, &mails));
    post.node.stop();
    let pieces = alone::measure(&post.node, &example);
    pieces::beside(&post.node, name, &done, &pieces);
}

/// What a flow leaves and asks for while it runs.
fn watched(node: &Node, messages: usize, mail: bool, flow: impl FnOnce() -> Duration) -> Done {
    let look = || (pieces::rows(&node.database()), node.token_calls());
    let (before, busy) = (look(), node.busy());
    let took = flow();
    spent(&busy, &node.busy(), messages);
    let mut after = look();
    for (operation, calls) in &mut after.1 {
        *calls -= before.1.get(operation).copied().unwrap_or_default();
    }
    Done {
        messages,
        took,
        rows: after.0 - before.0,
        calls: after.1,
        mail,
    }
}

/// Processor time of each daemon for one message.
fn spent(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, messages: usize) {
    let mut total = 0.0;
    let each: Vec<String> = after
        .iter()
        .map(|(name, now)| {
            #[allow(clippy::cast_precision_loss, reason = "a few hundred messages")]
            let one =
                (now - before.get(name).copied().unwrap_or_default()) * 1000.0 / messages as f64;
            total += one;
            format!("{name} {one:.1}")
        })
        .collect();
    println!(
        "    processor ms a message: {total:.1} ({})",
        each.join(", ")
    );
}

/// `check` answers before anything is sent.
async fn check(node: &Node, times: usize) {
    let mut far = Far::connect(&node.profile("csirt-alpha", "rest")).await;
    let mut taken = Vec::new();
    for number in 0..times + 5 {
        let body = submission(number);
        let begin = Instant::now();
        far.post("/check", &body).await;
        if number >= 5 {
            taken.push(begin.elapsed());
        }
    }
    measure::times("check (designed for less than 20 ms)", &taken);
}

fn submission(number: usize) -> Value {
    json!({
        "to": ["cert-eu"], "label": "RESTREINT UE/EU RESTRICTED", "purpose": "cyber-crisis",
        "subject": format!("message {number}"),
        "body": "A line of an ordinary text of an ordinary length.\n".repeat(20),
        "personal_data": false,
    })
}

fn siena(number: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <message xmlns=\"urn:chancery:siena-style:1\" version=\"1\">\
         <kind>information</kind><caseReference>BENCH-1</caseReference>\
         <classification>RESTREINT UE/EU RESTRICTED</classification>\
         <handlingCodes><code>H0</code></handlingCodes>\
         <evaluation source=\"B\" information=\"2\"/>\
         <purpose>law-enforcement</purpose><personalData>false</personalData>\
         <recipients><recipient role=\"to\">csirt-alpha</recipient></recipients>\
         <subject>message {number}</subject><text>{}</text></message>",
        "A line of an ordinary text of an ordinary length.\n".repeat(20)
    )
}

/// Sends one message; its id.
async fn send(far: &mut Far, from: From, number: usize) -> String {
    if from == From::Rest {
        let answer = far.post("/messages", &submission(number)).await;
        assert!(answer.to_string().contains("\"permit\""), "{answer}");
        return answer["id"].as_str().unwrap().to_owned();
    }
    let document = Bytes::from(siena(number));
    let answer = far
        .ask(Method::POST, "/messages", "application/xml", document)
        .await;
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let (_, rest) = text
        .split_once("<messageId>")
        .unwrap_or_else(|| panic!("{text}"));
    rest.split_once('<').unwrap().0.to_owned()
}

fn recipient(node: &Node, from: From) -> std::path::PathBuf {
    match from {
        From::Rest => node.profile("cert-eu", "rest"),
        From::Siena => node.profile("csirt-alpha", "rest"),
    }
}

fn sender(node: &Node, from: From) -> std::path::PathBuf {
    match from {
        From::Rest => node.profile("csirt-alpha", "rest"),
        From::Siena => node.profile("europol-ec3", "siena"),
    }
}

/// Fetches and acknowledges a delivery; its message.
async fn take(far: &mut Far, delivery: &str) -> (String, Instant) {
    let fetched = far.get(&format!("/inbox/{delivery}")).await;
    let at = Instant::now();
    let message = fetched["message"].as_str().unwrap().to_owned();
    far.ask(
        Method::POST,
        &format!("/inbox/{delivery}/ack"),
        "application/json",
        Bytes::new(),
    )
    .await;
    (message, at)
}

/// One message at a time, the recipient waiting for it.
async fn one_by_one(node: &Node, name: &str, from: From, messages: usize) {
    let mut sender = Far::connect(&sender(node, from)).await;
    let mut recipient = Far::connect(&recipient(node, from)).await;
    let (mut accepted, mut delivered) = (Vec::new(), Vec::new());
    for number in 0..messages {
        let waiting = async {
            let mut arrived = Vec::new();
            for delivery in recipient.waiting().await {
                arrived.push(take(&mut recipient, &delivery).await);
            }
            arrived
        };
        let begin = Instant::now();
        let sending = async {
            let id = send(&mut sender, from, number).await;
            (id, Instant::now())
        };
        let ((id, acknowledged), arrived) = tokio::join!(sending, waiting);
        let (_, at) = arrived.iter().find(|(message, _)| *message == id).unwrap();
        accepted.push(acknowledged - begin);
        delivered.push(at.saturating_duration_since(acknowledged));
    }
    measure::times(&format!("{name}: request to acknowledgement"), &accepted);
    measure::times(&format!("{name}: acknowledgement to delivery"), &delivered);
}

/// As many as go: eight senders and four recipients' programs.
async fn many(node: &Node, name: &str, from: From, messages: usize) -> Duration {
    const SENDERS: usize = 8;
    const TAKERS: usize = 4;
    let begin = Instant::now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut sending = Vec::new();
    for _ in 0..SENDERS {
        let (profile, next) = (sender(node, from), Arc::clone(&next));
        sending.push(tokio::spawn(async move {
            let mut far = Far::connect(&profile).await;
            let mut sent = Vec::new();
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= messages {
                    return sent;
                }
                let id = send(&mut far, from, 100_000 + number).await;
                sent.push((id, Instant::now()));
            }
        }));
    }
    // One program lists, the others fetch: a delivery is taken once.
    let (give, tasks) = tokio::sync::mpsc::channel::<String>(256);
    let tasks = Arc::new(tokio::sync::Mutex::new(tasks));
    let arrived: Arc<Mutex<BTreeMap<String, Instant>>> = Arc::default();
    let mut taking = Vec::new();
    for _ in 0..TAKERS {
        let (tasks, arrived) = (Arc::clone(&tasks), Arc::clone(&arrived));
        let profile = recipient(node, from);
        taking.push(tokio::spawn(async move {
            let mut far = Far::connect(&profile).await;
            loop {
                let delivery = tasks.lock().await.recv().await;
                let Some(delivery) = delivery else { return };
                let (message, at) = take(&mut far, &delivery).await;
                arrived.lock().unwrap().insert(message, at);
            }
        }));
    }
    let mut lister = Far::connect(&recipient(node, from)).await;
    let mut given = std::collections::BTreeSet::new();
    while given.len() < messages {
        for delivery in lister.waiting().await {
            if given.insert(delivery.clone()) {
                give.send(delivery).await.unwrap();
            }
        }
    }
    drop(give);
    let mut sent = Vec::new();
    for one in sending {
        sent.extend(one.await.unwrap());
    }
    for one in taking {
        one.await.unwrap();
    }
    let took = begin.elapsed();
    let arrived = arrived.lock().unwrap();
    let waits: Vec<Duration> = sent
        .iter()
        .map(|(id, acknowledged)| arrived[id].saturating_duration_since(*acknowledged))
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "a few hundred messages")]
    let rate = messages as f64 / took.as_secs_f64();
    println!("{name}: {rate:.1} messages/s, {messages} by {SENDERS} senders and {TAKERS} takers");
    measure::times(
        &format!("{name}: acknowledgement to delivery, all at once"),
        &waits,
    );
    took
}
