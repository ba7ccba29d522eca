//! The far ends over mutual TLS: JSON and XML inboxes, and a SIENA-style message.

use std::time::Duration;

use bytes::Bytes;
use chancery_hsm_api::DoorZone;
use http::Method;
use serde_json::Value;

use super::stories::Story;
use super::world::World;
use crate::failure::Failure;
use crate::officers::text;
use crate::rest::client::Client;

/// Fetches what waits first in a REST inbox, waiting for it.
pub(super) async fn rest_first(
    client: &Client,
    patience: Duration,
) -> Result<Option<Value>, Failure> {
    let path = format!("/inbox?wait={}", patience.as_secs().min(60));
    let listed = client
        .request(Method::GET, &path, &[], Bytes::new())
        .await?
        .good()?
        .json()?;
    let first = listed
        .get("deliveries")
        .and_then(Value::as_array)
        .and_then(|all| all.first());
    let Some(first) = first else {
        return Ok(None);
    };
    let path = format!("/inbox/{}", text(first, "delivery"));
    client
        .request(Method::GET, &path, &[], Bytes::new())
        .await?
        .good()?
        .json()
        .map(Some)
}

/// Fetches what waits first in a SIENA-style inbox, waiting for it: the
/// delivery's id and the document.
pub(super) async fn siena_first(
    client: &Client,
    patience: Duration,
) -> Result<Option<(String, String)>, Failure> {
    let path = format!("/inbox?wait={}", patience.as_secs().min(60));
    let listed = xml(client, &path).await?;
    let Some(id) = attribute(&listed, "entry", "delivery") else {
        return Ok(None);
    };
    let document = xml(client, &format!("/inbox/{id}")).await?;
    Ok(Some((id, document)))
}

async fn xml(client: &Client, path: &str) -> Result<String, Failure> {
    let answer = client.request(Method::GET, path, &[], Bytes::new()).await?;
    let document = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status == 200 {
        return Ok(document);
    }
    let why = element(&document, "detail").unwrap_or_default();
    Err(Failure::new(format!(
        "the SIENA-style door answered {} ({}): {why}",
        answer.status, answer.content_type
    )))
}

/// Deliveries that nobody should have: after all messages every inbox is empty.
pub(super) async fn leftovers(world: &World) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for zone in [DoorZone::Rest, DoorZone::Siena] {
        for (id, client) in world.clients_of(zone) {
            let listed = client
                .request(Method::GET, "/inbox", &[], Bytes::new())
                .await?
                .good()?;
            let listed = String::from_utf8_lossy(&listed.body).into_owned();
            if listed.contains("delivery\":") || attribute(&listed, "entry", "delivery").is_some() {
                found.push(format!("something more waits for {id}"));
            }
        }
    }
    if let Some(mail) = &world.mail
        && mail.relay.next(Duration::from_millis(200)).await.is_some()
    {
        found.push("one mail more went out than should".to_owned());
    }
    Ok(found)
}

/// A SIENA-style message.
pub(super) fn siena_message(story: &Story, subject: &str, body: &str) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<message xmlns=\"urn:chancery:siena-style:1\" version=\"1\">",
    );
    let mut put = |text: String| xml.push_str(&text);
    put("<kind>information</kind><caseReference>DEMO-1</caseReference>".to_owned());
    if let Some(label) = story.label {
        put(format!(
            "<classification>{}</classification>",
            escaped(label.marking)
        ));
        let codes: String = label
            .handling
            .iter()
            .map(|code| format!("<code>{code}</code>"))
            .collect();
        put(format!("<handlingCodes>{codes}</handlingCodes>"));
    }
    put("<evaluation source=\"B\" information=\"2\"/>".to_owned());
    if let Some(purpose) = story.purpose {
        put(format!("<purpose>{purpose}</purpose>"));
    }
    put("<personalData>false</personalData>".to_owned());
    put(format!(
        "<recipients><recipient role=\"to\">{}</recipient></recipients>",
        story.to
    ));
    put(format!(
        "<subject>{}</subject><text>{}</text></message>\n",
        escaped(subject),
        escaped(body)
    ));
    xml
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The text of the first element of this name, as it stands. The gateway's
/// documents have one form; this end needs no parser.
pub(super) fn element(document: &str, name: &str) -> Option<String> {
    let (_, after) = document.split_once(&format!("<{name}"))?;
    let (_, inner) = after.split_once('>')?;
    let (text, _) = inner.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}

/// An attribute of the first element of this name.
pub(super) fn attribute(document: &str, element: &str, name: &str) -> Option<String> {
    let (_, after) = document.split_once(&format!("<{element} "))?;
    let (head, _) = after.split_once('>')?;
    let (_, value) = head.split_once(&format!("{name}=\""))?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_documents_are_read() {
        let inbox =
            "<inbox xmlns=\"u\"><entry delivery=\"d1\" role=\"to\"><from>a</from></entry></inbox>";
        assert_eq!(attribute(inbox, "entry", "delivery").as_deref(), Some("d1"));
        assert_eq!(element(inbox, "from").as_deref(), Some("a"));
        assert_eq!(element(inbox, "subject"), None);
        assert_eq!(attribute("<inbox xmlns=\"u\"/>", "entry", "delivery"), None);
    }
}
