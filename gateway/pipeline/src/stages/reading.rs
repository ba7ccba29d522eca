//! What officers read: the content that they judge by, behind a read permit and
//! an event, and why it is held, with every gate, its rule and what would help.

use chancery_audit::{Actor, Event, EventKind, Key};
use chancery_label::Level;
use chancery_message::{CaseId, OfficerId};
use chancery_policy::gate::Closing;
use chancery_policy::release::read_permit;
use chancery_policy::{explain, reason};
use serde::Serialize;

use crate::documents::MessageDocument;
use crate::gateway::{Gateway, StageError};
use crate::outcome::{Refusal, RefusalKind};
use crate::ports::Step;
use crate::rows::{CaseRow, MessageRow};
use crate::stages::release::judge;
use crate::stages::review::{CaseCard, card_of, load};
use crate::vault;

/// A case with its content, behind a read permit.
#[derive(Clone, Debug, Serialize)]
pub struct CaseContent {
    /// The case.
    pub case: CaseCard,
    /// The facts on which it was held.
    pub facts: serde_json::Value,
    /// Why it is held now; none for a message in quarantine.
    pub explanation: Option<Explanation>,
    /// What it is about.
    pub subject: String,
    /// The text.
    pub body: String,
    /// The attachments.
    pub attachments: Vec<AttachmentCard>,
}

/// An attachment as officers see it.
#[derive(Clone, Debug, Serialize)]
pub struct AttachmentCard {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Its own marking, where it has one.
    pub marking: Option<String>,
}

/// The decision as it would be now, for officers.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// `permit`, `review` or `deny`.
    pub verdict: String,
    /// Every gate that speaks.
    pub gates: Vec<GateCard>,
    /// The MoU that covers it, or comes nearest.
    pub mou: Option<String>,
    /// The article that stands against it: MoU and number.
    pub article: Option<String>,
    /// The smallest changes that would permit it, each tried by the engine.
    pub would_help: Vec<String>,
    /// Hash of the policy set.
    pub policy: String,
}

/// One gate.
#[derive(Clone, Debug, Serialize)]
pub struct GateCard {
    /// Its name.
    pub gate: String,
    /// What its rules say, each with its file.
    pub rules: Vec<(String, String)>,
    /// Where it comes from; none for a rule of the site.
    pub basis: Option<&'static str>,
    /// The facts that it looked at, as `name = value`.
    pub facts: Vec<String>,
    /// Of a gate of agreements: the MoU and the article.
    pub article: Option<String>,
    /// What closes it: `label`, `consent`, `votes`, `never`.
    pub closes: Closing,
}

/// A case with its content: the officer's right to read is decided and
/// recorded before anything is opened. What nobody is proven to have sent may
/// be read too, so that it can be judged.
///
/// # Errors
/// [`RefusalKind::Denied`] where the officer may not read it.
pub fn show(
    gateway: &Gateway,
    officer: &OfficerId,
    id: &CaseId,
    why: &str,
) -> Result<CaseContent, StageError> {
    let (row, document, message, meta) = load(gateway, id)?;
    let now = gateway.now();
    let rules = gateway.rules();
    // What has no label may be anything: read it like the highest that its channel carries.
    let level = meta
        .label
        .as_ref()
        .map_or(Level::Restricted, |label| label.level);
    let view = rules.directory().at(now);
    let permit = read_permit(
        officer,
        row.message,
        level,
        message.sender.as_ref(),
        why,
        &view,
    )
    .map_err(|refusal| Refusal::new(RefusalKind::Denied, refusal.to_string()))?;
    let event = Event::new(EventKind::ContentRead, now, Actor::Officer(officer.clone()))
        .message(row.message)
        .detail(Key::Case, id.to_string())
        .detail(Key::Officer, officer.as_str())
        .detail(Key::Permit, "read")
        .detail(Key::Reason, permit.reason());
    gateway.ledger.commit(Step {
        events: vec![event],
        ..Step::default()
    })?;
    let opened = vault::open(gateway, &permit, &message, meta.label.as_ref())?;
    Ok(CaseContent {
        case: card_of(gateway, id)?,
        facts: serde_json::from_str(&document.facts).unwrap_or(serde_json::Value::Null),
        explanation: explanation(gateway, &row, &message, &meta)?,
        subject: opened.header.subject.expose().to_owned(),
        body: opened.header.body.expose().to_owned(),
        attachments: opened
            .header
            .attachments
            .iter()
            .map(|one| AttachmentCard {
                name: one.name.expose().to_owned(),
                media_type: one.media_type.clone(),
                size: one.size,
                marking: one.label.as_ref().map(chancery_label::marking::format),
            })
            .collect(),
    })
}

fn explanation(
    gateway: &Gateway,
    case: &CaseRow,
    message: &MessageRow,
    meta: &MessageDocument,
) -> Result<Option<Explanation>, StageError> {
    let Some(delivery) = case.delivery else {
        return Ok(None);
    };
    let Some(row) = gateway.ledger.delivery(&delivery)? else {
        return Ok(None);
    };
    crate::rowmac::check_delivery(gateway, &row)?;
    let (now, rules) = (gateway.now(), gateway.rules());
    let judgement = judge(gateway, &rules, message, meta, &row, now)?;
    let derived = judgement.derived.as_ref();
    let gates = derived.map_or_else(Vec::new, |one| {
        reason::explain(
            rules.engine(),
            &judgement.decision,
            &one.facts,
            Some(&one.mou),
        )
        .into_iter()
        .map(|one| GateCard {
            gate: one.gate.to_string(),
            rules: rules
                .engine()
                .rules_of(one.gate, None)
                .map(|rule| (rule.says.clone(), rule.file.clone()))
                .collect(),
            basis: one.basis,
            facts: one.facts,
            article: one.article,
            closes: one.closing,
        })
        .collect()
    });
    Ok(Some(Explanation {
        verdict: judgement.verdict.word().to_owned(),
        gates,
        mou: derived
            .filter(|one| one.facts.is_cross())
            .and_then(|one| one.mou.mou.as_ref().map(ToString::to_string)),
        article: derived.and_then(|one| {
            let (mou, number) = one.mou.article.as_ref()?;
            Some(format!("{mou} article {number}"))
        }),
        would_help: derived.map_or_else(Vec::new, |one| {
            explain::hints(rules.engine(), &one.facts, &meta.parts())
                .iter()
                .map(|hint| hint.text_under(rules.engine(), &one.facts, &one.mou))
                .collect()
        }),
        policy: hex::encode(judgement.policy),
    }))
}
