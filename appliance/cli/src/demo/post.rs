//! Sends one message, does what people do about it, and looks what came out
//! at the other end.

use std::time::Duration;

use bytes::Bytes;
use chancery_audit::{EventKind, Record};
use chancery_hsm_api::DoorZone;
use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use chancery_pipeline::officers::Request;
use chancery_policy::approval::Vote;
use http::Method;
use serde_json::{Value, json};

use super::stories::{Expect, People, Story};
use super::world::{DOMAIN, World};
use super::{far, mail};
use crate::failure::{Failure, failed};
use crate::officers::text;
use crate::{audit, rest, review};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Records that are asked for at one time.
const PAGE: usize = 1000;

/// What became of a message.
pub(super) struct Told {
    /// Its id.
    pub(super) message: String,
    /// All records about it.
    pub(super) records: Vec<Record>,
    /// The records about what its recipient passed on.
    pub(super) onward: Vec<Record>,
    /// The recipient has its text.
    pub(super) arrived: bool,
    /// By mail: gpg calls the gateway's signature good.
    pub(super) signature_good: Option<bool>,
}

/// Plays one story.
pub(super) async fn play(world: &mut World, story: &Story) -> Result<Told, Failure> {
    let canary = world.canary()?;
    let message = send(world, story, &canary).await?;
    match story.people {
        People::Approve(officers) => approve(world, &message, officers).await?,
        People::GiveLabel(officer, label) => {
            let desk = world.officer(officer)?;
            review::give_label(&desk, &message, label).await?;
        }
        People::Nothing | People::Forward(_) => {}
    }
    let mut told = Told {
        message,
        records: Vec::new(),
        onward: Vec::new(),
        arrived: false,
        signature_good: None,
    };
    if !matches!(story.expect, Expect::Refused(_)) {
        receive(world, story, &canary, &mut told).await?;
    }
    let auditor = world.officer("farid")?;
    told.records = records(&audit::story(&auditor, &told.message).await?)?;
    Ok(told)
}

fn records(lines: &[Bytes]) -> Result<Vec<Record>, Failure> {
    lines
        .iter()
        .map(|line| Record::parse(line).map_err(failed("a record of the log")))
        .collect()
}

async fn send(world: &mut World, story: &Story, canary: &str) -> Result<String, Failure> {
    let subject = format!("{}, {canary}", story.name);
    let body = format!("{}\nThe word to search for is {canary}.\n", story.shows);
    match story.by {
        DoorZone::Rest => {
            let mut submission = json!({
                "to": [story.to], "subject": subject, "body": body, "personal_data": false,
            });
            if let (Some(fields), Some(label)) = (submission.as_object_mut(), story.label) {
                let mut parts = json!({ "level": label.level, "handling": label.handling });
                if let (Some(parts), Some(tlp)) = (parts.as_object_mut(), label.tlp) {
                    parts.insert("tlp".to_owned(), json!(tlp));
                }
                fields.insert("label".to_owned(), parts);
                fields.extend(
                    story
                        .purpose
                        .map(|purpose| ("purpose".to_owned(), json!(purpose))),
                );
            }
            let answer =
                rest::submit(world.client(story.from)?, "/messages", &submission, None).await?;
            id_in(text(&answer, "id"))
        }
        DoorZone::Siena => {
            let document = far::siena_message(story, &subject, &body);
            let headers = [("content-type", "application/xml")];
            let client = world.client(story.from)?;
            let answer = client
                .request(Method::POST, "/messages", &headers, document.into())
                .await?;
            let answered = String::from_utf8_lossy(&answer.body).into_owned();
            let id = far::element(&answered, "messageId")
                .or_else(|| far::attribute(&answered, "quarantined", "id"));
            id.ok_or_else(|| {
                let why = far::element(&answered, "detail").unwrap_or_default();
                Failure::new(format!(
                    "the SIENA-style door answered {}: {why}",
                    answer.status
                ))
            })
        }
        DoorZone::Mail => send_mail(world, story, canary, &subject, &body).await,
    }
}

fn id_in(id: &str) -> Result<String, Failure> {
    if id.is_empty() {
        return Err(Failure::new("the gateway's answer names no message"));
    }
    Ok(id.to_owned())
}

/// By mail the answer names no id that a program could rely on: the auditor
/// sees which message is new.
async fn send_mail(
    world: &mut World,
    story: &Story,
    canary: &str,
    subject: &str,
    body: &str,
) -> Result<String, Failure> {
    let auditor = world.officer("farid")?;
    let mut seen = world.next_record;
    // Asking is itself recorded, so the log never ends: a page that is not full does.
    loop {
        let page = page(&auditor, seen).await?;
        seen = page.last().map_or(seen, |last| last.seq + 1);
        if page.len() < PAGE {
            break;
        }
    }
    let correspondent = world
        .mail
        .as_ref()
        .ok_or_else(|| Failure::new("the demo has no mail"))?;
    let inner = mail::inner(
        story.label.map(|label| label.marking),
        subject,
        &body.replace('\n', "\r\n"),
    );
    let gpg = correspondent.gpg(story.from)?;
    let sealed = gpg.seal(&correspondent.gateway_key, &inner)?;
    let to = format!("{}@{DOMAIN}", story.to);
    let now = SystemClock.now();
    // Not the canary: what travels outside may be seen by all.
    let id = format!("m{}", now.as_micros());
    let outer = mail::outer(gpg.address(), &to, &id, &rfc5322(now.as_micros())?, &sealed);
    debug_assert!(
        !outer
            .windows(canary.len())
            .any(|part| part == canary.as_bytes())
    );
    correspondent
        .relay
        .send(world.smtp, gpg.address(), &to, outer)
        .await?;
    let mut found = None;
    loop {
        let page = page(&auditor, seen).await?;
        seen = page.last().map_or(seen, |last| last.seq + 1);
        found = found.or_else(|| new_message(&page));
        if found.is_some() || page.len() < PAGE {
            break;
        }
    }
    world.next_record = seen;
    found
        .ok_or_else(|| Failure::new("the mail door took the mail, but the log has no record of it"))
}

/// The message that was entered, or kept for an officer.
fn new_message(records: &[Record]) -> Option<String> {
    records
        .iter()
        .filter(|record| {
            matches!(
                record.event.kind,
                EventKind::MessageRegistered | EventKind::MessageQuarantined
            )
        })
        .find_map(|record| record.event.message)
        .map(|id| id.to_string())
}

async fn page(auditor: &crate::officers::Officer, from: u64) -> Result<Vec<Record>, Failure> {
    records(
        &auditor
            .order(Request::AuditLeaves { from, limit: 1000 })
            .await?,
    )
}

fn rfc5322(micros: i64) -> Result<String, Failure> {
    let at = time::OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000))
        .map_err(failed("the clock"))?;
    at.format(&time::format_description::well_known::Rfc2822)
        .map_err(failed("the date"))
}

/// Officers approve the case of a message, one after the other.
async fn approve(world: &World, message: &str, officers: &[&str]) -> Result<(), Failure> {
    for id in officers {
        let officer = world.officer(id)?;
        let open = review::cases(&officer).await?;
        let card = open
            .iter()
            .find(|card| text(card, "message") == message)
            .ok_or_else(|| Failure::new("there is no case of the message"))?;
        review::vote(&officer, text(card, "case"), Vote::Approve).await?;
    }
    Ok(())
}

/// Takes the message out at the other end.
async fn receive(
    world: &mut World,
    story: &Story,
    canary: &str,
    told: &mut Told,
) -> Result<(), Failure> {
    match story.arrives_by {
        DoorZone::Rest => {
            let client = world.client(story.to)?;
            let Some(delivery) = far::rest_first(client, PATIENCE).await? else {
                return Ok(());
            };
            let id = text(&delivery, "delivery").to_owned();
            told.arrived = text(&delivery, "message") == told.message
                && text(&delivery, "body").contains(canary);
            if let People::Forward(to) = story.people {
                told.onward = forward(world, story, &id, to).await?;
            }
            let path = format!("/inbox/{id}/ack");
            world
                .client(story.to)?
                .request(Method::POST, &path, &[], Bytes::new())
                .await?
                .good()?;
        }
        DoorZone::Siena => {
            let client = world.client(story.to)?;
            if let Some((id, document)) = far::siena_first(client, PATIENCE).await? {
                told.arrived =
                    far::element(&document, "text").is_some_and(|text| text.contains(canary));
                let path = format!("/inbox/{id}/ack");
                client
                    .request(Method::POST, &path, &[], Bytes::new())
                    .await?
                    .good()?;
            }
        }
        DoorZone::Mail => {
            let correspondent = world
                .mail
                .as_ref()
                .ok_or_else(|| Failure::new("the demo has no mail"))?;
            if let Some(mail) = correspondent.relay.next(PATIENCE).await {
                let armored = mail::armored(&mail)
                    .ok_or_else(|| Failure::new("the mail that arrived is not PGP/MIME"))?;
                let (opened, good) = correspondent.gpg(story.to)?.open(&armored)?;
                told.signature_good = Some(good);
                told.arrived = opened
                    .windows(canary.len())
                    .any(|part| part == canary.as_bytes());
            }
            // The relay's answer is the receipt: it is recorded a moment later.
            settled(world, &told.message).await?;
        }
    }
    Ok(())
}

/// Waits until the log tells how the delivery ended.
async fn settled(world: &World, message: &str) -> Result<(), Failure> {
    let auditor = world.officer("farid")?;
    let wait = async {
        loop {
            let records = records(&audit::story(&auditor, message).await?)?;
            if records
                .iter()
                .any(|record| record.event.kind == EventKind::ReleaseCompleted)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap_or(Ok(()))
}

/// The recipient passes the message on; the records about that.
async fn forward(
    world: &World,
    story: &Story,
    delivery: &str,
    to: &str,
) -> Result<Vec<Record>, Failure> {
    let client = world.client(story.to)?;
    let body = json!({ "to": [to], "personal_data": false });
    let answer: Value = rest::submit(
        client,
        &format!("/messages/{delivery}/forward"),
        &body,
        None,
    )
    .await?;
    let auditor = world.officer("farid")?;
    records(&audit::story(&auditor, text(&answer, "id")).await?)
}
