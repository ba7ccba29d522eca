//! A user's end of the REST channel.

pub(crate) mod args;
mod attach;
pub(crate) mod client;
mod show;
mod transfer;

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, failed};
use crate::{files, out, run};
use args::Message;
use client::Client;

/// Largest attachment that goes inside the request; larger ones are uploaded.
const INLINE: u64 = 256 * 1024;
/// Largest text.
const TEXT: u64 = 1 << 20;
const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) fn send(args: &args::Send, json: bool) -> Result<(), Failure> {
    let client = Client::open(&args.mine.profile)?;
    let text = files::text(&args.file, TEXT)?;
    run::runtime()?.block_on(async {
        let body = submission(&client, &args.message, Some(text)).await?;
        let path = if args.check { "/check" } else { "/messages" };
        let answer = submit(
            &client,
            path,
            &body,
            args.message.idempotency_key.as_deref(),
        )
        .await?;
        if json {
            out::json(&answer)
        } else {
            show::verdicts(&answer, args.check)
        }
    })
}

pub(crate) fn reply(args: &args::Reply, json: bool) -> Result<(), Failure> {
    let client = Client::open(&args.mine.profile)?;
    let text = files::text(&args.file, TEXT)?;
    let path = format!("/messages/{}/reply", id(&args.id)?);
    onward(&client, &path, &args.message, Some(text), json)
}

pub(crate) fn forward(args: &args::Forward, json: bool) -> Result<(), Failure> {
    let client = Client::open(&args.mine.profile)?;
    let text = args
        .file
        .as_deref()
        .map(|file| files::text(file, TEXT))
        .transpose()?;
    let path = format!("/messages/{}/forward", id(&args.id)?);
    onward(&client, &path, &args.message, text, json)
}

fn onward(
    client: &Client,
    path: &str,
    message: &Message,
    text: Option<String>,
    json: bool,
) -> Result<(), Failure> {
    run::runtime()?.block_on(async {
        let body = submission(client, message, text).await?;
        let answer = submit(client, path, &body, message.idempotency_key.as_deref()).await?;
        if json {
            out::json(&answer)
        } else {
            show::verdicts(&answer, false)
        }
    })
}

pub(crate) fn status(args: &args::One, json: bool) -> Result<(), Failure> {
    let path = format!("/messages/{}", id(&args.id)?);
    let answer = ask(&args.mine.profile, Method::GET, &path)?;
    if json {
        out::json(&answer)
    } else {
        show::status(&answer)
    }
}

pub(crate) fn withdraw(args: &args::One, json: bool) -> Result<(), Failure> {
    let path = format!("/messages/{}/withdraw", id(&args.id)?);
    let answer = ask(&args.mine.profile, Method::POST, &path)?;
    if json {
        out::json(&answer)
    } else {
        show::status(&answer)
    }
}

pub(crate) fn recipients(args: &args::Mine, json: bool) -> Result<(), Failure> {
    let answer = ask(&args.profile, Method::GET, "/recipients")?;
    if json {
        out::json(&answer)
    } else {
        show::recipients(&answer)
    }
}

pub(crate) fn inbox(args: &args::Inbox, json: bool) -> Result<(), Failure> {
    let profile = &args.mine.profile;
    if let Some(delivery) = &args.ack {
        let answer = ask(
            profile,
            Method::POST,
            &format!("/inbox/{}/ack", id(delivery)?),
        )?;
        if json {
            return out::json(&answer);
        }
        return out::line(format_args!("acknowledged: {delivery}"));
    }
    if let Some(delivery) = &args.fetch {
        let path = format!("/inbox/{}", id(delivery)?);
        let answer = ask(profile, Method::GET, &path)?;
        if let Some(folder) = &args.save {
            save(profile, &path, &answer, folder)?;
        }
        return if json {
            out::json(&answer)
        } else {
            show::delivery(&answer)
        };
    }
    let mut path = format!("/inbox?wait={}&limit={}", args.wait, args.limit);
    if let Some(after) = &args.after {
        path.push_str(&format!("&after={}", id(after)?));
    }
    let answer = ask(profile, Method::GET, &path)?;
    if json {
        out::json(&answer)
    } else {
        show::inbox(&answer)
    }
}

/// Text and attachments into a folder, under names that are no paths.
fn save(profile: &Path, path: &str, delivery: &Value, folder: &Path) -> Result<(), Failure> {
    files::folder(folder)?;
    let text = delivery
        .get("body")
        .and_then(Value::as_str)
        .unwrap_or_default();
    files::create(&folder.join("message.txt"), 0o600, text.as_bytes())?;
    let client = Client::open(profile)?;
    let runtime = run::runtime()?;
    for attachment in delivery
        .get("attachments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let index = attachment
            .get("index")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let word = |key: &str| attachment.get(key).and_then(Value::as_str);
        let name: String = word("name")
            .unwrap_or("attachment")
            .chars()
            .map(|c| if c == '/' || c.is_control() { '_' } else { c })
            .collect();
        let file = folder.join(format!("{index}-{name}"));
        let path = format!("{path}/attachments/{index}");
        let digest = runtime.block_on(client.download(&path, &file))?;
        if word("sha256").is_some_and(|told| told != digest) {
            return Err(Failure::new(format!(
                "{} is not what the delivery says: fetch it again",
                file.display()
            )));
        }
    }
    Ok(())
}

/// `chancery consent`
pub(crate) fn consent(args: &args::Consent, json: bool) -> Result<(), Failure> {
    use args::ConsentCommand::{Grant, List, Refuse};
    let answer = match &args.command {
        List { mine } => ask(&mine.profile, Method::GET, "/consents")?,
        Grant { mine, request } => {
            let path = format!("/consents/{}/grant", id(request)?);
            ask(&mine.profile, Method::POST, &path)?
        }
        Refuse { mine, request } => {
            let path = format!("/consents/{}/refuse", id(request)?);
            ask(&mine.profile, Method::POST, &path)?
        }
    };
    if json {
        return out::json(&answer);
    }
    show::consent(&answer)
}

fn ask(profile: &Path, method: Method, path: &str) -> Result<Value, Failure> {
    let client = Client::open(profile)?;
    run::runtime()?
        .block_on(client.request(method, path, &[], Bytes::new()))?
        .good()?
        .json()
}

/// Sends a submission; the gateway's answer.
pub(crate) async fn submit(
    client: &Client,
    path: &str,
    body: &Value,
    key: Option<&str>,
) -> Result<Value, Failure> {
    let key = match key {
        Some(key) => key.to_owned(),
        None => fresh_key()?,
    };
    let body = serde_json::to_vec(body).map_err(failed("the request"))?;
    let mut headers = vec![JSON];
    if path != "/check" {
        headers.push(("idempotency-key", &key));
    }
    client
        .request(Method::POST, path, &headers, body.into())
        .await?
        .good()?
        .json()
}

fn fresh_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(failed("the system gives no random bytes"))?;
    Ok(hex::encode(bytes))
}

/// The request's JSON; large attachments are uploaded on the way.
async fn submission(
    client: &Client,
    message: &Message,
    text: Option<String>,
) -> Result<Value, Failure> {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    if !message.to.is_empty() {
        put("to", json!(message.to));
    }
    if !message.cc.is_empty() {
        put("cc", json!(message.cc));
    }
    if let Some(text) = text {
        put("body", json!(text));
    }
    let texts = [
        ("label", &message.label),
        ("subject", &message.subject),
        ("purpose", &message.purpose),
        ("precedence", &message.precedence),
        ("reference", &message.reference),
        ("evaluation", &message.evaluation),
        ("originator", &message.originator),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            put(key, json!(value));
        }
    }
    if message.personal_data || message.no_personal_data {
        put("personal_data", json!(message.personal_data));
    }
    if !message.derived_from.is_empty() {
        put("derived_from", json!(message.derived_from));
    }
    let labels = attach::labels(&message.attach, &message.attach_label)?;
    let mut attachments = Vec::new();
    for (file, label) in message.attach.iter().zip(labels) {
        let mut one = attachment(client, file).await?;
        if let (Some(label), Some(fields)) = (label, one.as_object_mut()) {
            fields.insert("label".to_owned(), json!(label));
        }
        attachments.push(one);
    }
    if !attachments.is_empty() {
        put("attachments", Value::Array(attachments));
    }
    Ok(Value::Object(body))
}

async fn attachment(client: &Client, file: &Path) -> Result<Value, Failure> {
    const OCTETS: &str = "application/octet-stream";
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Failure::usage(format!("--attach {}: it has no file name", file.display()))
    })?;
    let cannot = || failed(format!("{} cannot be read", file.display()));
    let open = tokio::fs::File::open(file).await.map_err(cannot())?;
    let about = open.metadata().await.map_err(cannot())?;
    if !about.is_file() {
        return Err(Failure::new(format!("{} is not a file", file.display())));
    }
    if about.len() <= INLINE {
        let bytes = files::read(file, INLINE)?;
        return Ok(
            json!({ "name": name, "media_type": OCTETS, "content_base64": BASE64_STANDARD.encode(bytes) }),
        );
    }
    let headers = [("content-type", OCTETS)];
    let answer = client
        .upload("/attachments", &headers, open, about.len())
        .await?
        .good()?
        .json()?;
    let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
    Ok(json!({ "name": name, "media_type": OCTETS, "id": id }))
}

/// An id as it may stand in a path.
fn id(text: &str) -> Result<&str, Failure> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    good.then_some(text)
        .ok_or_else(|| Failure::usage("an id is letters, digits and -"))
}
