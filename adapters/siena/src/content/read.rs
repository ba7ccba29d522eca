//! The bytes of a submission → the typed message, whole or not at all.

use super::{RULES, SCHEMA_RULE};
use chancery_http::text::malformed;
use chancery_label::{Country, HandlingCode, ReadOptions, marking};
use chancery_message::{
    AssertedLabel, Evaluation, Inbound, Intent, LabelSource, MAX_BODY_BYTES, MAX_RECIPIENTS,
    MAX_SUBJECT_BYTES, Malformed, Operation, Parsed, ParticipantId, Precedence, Purpose,
    RecipientRole, RequestedRecipient, SienaFields, SienaKind, SignatureEvidence, Submission, Text,
    UrgencyGround,
};
use time::Date;

use super::attach::attachments;
use super::fields::{Fields, boolean, open, text, text_with};
use super::tree::{self, Node};

/// Largest submission, bytes.
pub const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;
/// Most messages that one may name as sources.
const MAX_SOURCES: usize = 32;
/// Longest reference, bytes.
const MAX_REFERENCE: usize = 256;

/// Reads a submission. `on` is the day as of which its classification is read.
///
/// Pure and total: every input gives an answer, none is repaired. A message
/// without handling codes is kept for an officer: no code is ever assumed. Of
/// `inbound` only the operation is looked at.
#[must_use]
pub fn read(inbound: &Inbound, raw: &[u8], on: Date) -> Parsed {
    match submission(inbound, raw, on) {
        Ok((_, false)) => Parsed::Suspicious(malformed(
            "there are no handling codes: name at least H0",
            "Council document 6243/18; no code is assumed",
        )),
        Ok((submission, true)) => Parsed::Whole(Box::new(submission)),
        Err(malformed) => Parsed::Malformed(malformed),
    }
}

/// The submission, and whether its handling codes are complete.
fn submission(inbound: &Inbound, raw: &[u8], on: Date) -> Result<(Submission, bool), Malformed> {
    if raw.len() > MAX_REQUEST_BYTES {
        return Err(malformed(
            "larger than 2 MiB: upload attachments first",
            SCHEMA_RULE,
        ));
    }
    let root = tree::parse(raw)?;
    if root.name != "message" {
        return Err(malformed("the root element is not `message`", SCHEMA_RULE));
    }
    let (mut attributes, mut fields) = open(root)?;
    if attributes.required("version")? != "1" {
        return Err(malformed("the version is not 1", SCHEMA_RULE));
    }
    attributes.end()?;
    let intent = match &inbound.operation {
        Operation::Send => Intent::Send,
        Operation::Check => Intent::Check,
        Operation::Reply { to } => Intent::Reply { to: to.clone() },
        Operation::Forward { of } => Intent::Forward { of: of.clone() },
    };
    let is_forward = matches!(intent, Intent::Forward { .. });
    // The order of the schema.
    let external_id = fields
        .optional("id")
        .map(|node| reference("id", node))
        .transpose()?;
    let kind = kind(&text(fields.required("kind")?)?)?;
    let urgency = fields.optional("urgency").map(urgency).transpose()?;
    let directly_accessible = flag(&mut fields, "directlyAccessible")?.unwrap_or(false);
    let case_reference = fields
        .optional("caseReference")
        .map(|node| reference("caseReference", node))
        .transpose()?;
    let classification = fields.optional("classification");
    let codes = fields.optional("handlingCodes").map(handling).transpose()?;
    let evaluation = fields.optional("evaluation").map(evaluation).transpose()?;
    let purpose = fields.optional("purpose").map(purpose).transpose()?;
    let personal_data = flag(&mut fields, "personalData")?;
    let precedence = fields
        .optional("precedence")
        .map(precedence)
        .transpose()?
        .unwrap_or_default();
    let originator = fields
        .optional("originator")
        .map(|node| participant("originator", &text(node)?))
        .transpose()?;
    let derived_from = fields
        .optional("derivedFrom")
        .map(sources)
        .transpose()?
        .unwrap_or_default();
    let (recipients, europol_in_copy) = recipients(fields.required("recipients")?)?;
    let own_reference = fields
        .optional("reference")
        .map(|node| reference("reference", node))
        .transpose()?;
    let in_reply_to = fields
        .optional("inReplyTo")
        .map(|node| reference("inReplyTo", node))
        .transpose()?;
    let subject = text(fields.required("subject")?)?;
    RULES.line("subject", &subject, MAX_SUBJECT_BYTES)?;
    let body = text(fields.required("text")?)?;
    RULES.lines("text", &body, MAX_BODY_BYTES)?;
    let attachments = fields
        .optional("attachments")
        .map(|node| attachments(node, on))
        .transpose()?
        .unwrap_or_default();
    fields.end()?;
    // A forward has the codes and the label of the message that it passes on.
    let complete = codes.is_some() || is_forward;
    let submission = Submission {
        label: label(classification, codes.unwrap_or_default(), on)?,
        intent,
        claimed_sender: None,
        recipients,
        subject: Text::new(subject),
        body: Text::new(body),
        attachments,
        signature: SignatureEvidence::Absent,
        protection: None,
        precedence,
        purpose,
        personal_data,
        originator,
        derived_from,
        reference: own_reference,
        in_reply_to,
        evaluation,
        external_id,
        siena: Some(SienaFields {
            kind,
            urgency,
            directly_accessible,
            case_reference,
            europol_in_copy,
        }),
    };
    Ok((submission, complete))
}

fn kind(word: &str) -> Result<SienaKind, Malformed> {
    Ok(match word {
        "request" => SienaKind::Request,
        "answer" => SienaKind::Answer,
        "information" => SienaKind::Information,
        "update" => SienaKind::Update,
        _ => {
            return Err(malformed(
                "`kind` is not request, answer, information or update",
                SCHEMA_RULE,
            ));
        }
    })
}

fn urgency(node: Node) -> Result<UrgencyGround, Malformed> {
    let (mut attributes, text) = text_with(node)?;
    let ground = attributes.required("ground")?;
    attributes.end()?;
    if !text.is_empty() {
        return Err(malformed(
            "`urgency` has text: its ground is an attribute",
            SCHEMA_RULE,
        ));
    }
    Ok(match ground.as_str() {
        "public-security" => UrgencyGround::PublicSecurity,
        "life-or-integrity" => UrgencyGround::LifeOrIntegrity,
        "restrictive-measures" => UrgencyGround::RestrictiveMeasures,
        "losing-relevance" => UrgencyGround::LosingRelevance,
        _ => {
            return Err(malformed(
                "`urgency` has no ground of the Directive",
                "Directive (EU) 2023/977, Article 2",
            ));
        }
    })
}

fn flag(fields: &mut Fields, name: &str) -> Result<Option<bool>, Malformed> {
    fields
        .optional(name)
        .map(|node| boolean(name, &text(node)?))
        .transpose()
}

fn handling(node: Node) -> Result<Vec<HandlingCode>, Malformed> {
    let (attributes, mut fields) = open(node)?;
    attributes.end()?;
    let mut codes: Vec<HandlingCode> = Vec::new();
    for node in fields.many("code", HandlingCode::ALL.len())? {
        let code = text(node)?.parse().map_err(|_| {
            malformed(
                "a handling code that is not H0, H1, H2 or H3",
                "Council document 6243/18",
            )
        })?;
        if codes.contains(&code) {
            return Err(malformed("a handling code twice", SCHEMA_RULE));
        }
        codes.push(code);
    }
    fields.end()?;
    if codes.is_empty() {
        return Err(malformed("`handlingCodes` is empty", SCHEMA_RULE));
    }
    Ok(codes)
}

fn evaluation(node: Node) -> Result<Evaluation, Malformed> {
    let (mut attributes, text) = text_with(node)?;
    let codes = format!(
        "{}{}",
        attributes.required("source")?,
        attributes.required("information")?
    );
    attributes.end()?;
    codes
        .parse()
        .ok()
        .filter(|_| text.is_empty())
        .ok_or_else(|| {
            malformed(
                "`evaluation` is not a source of A, B, C, X and an information of 1 to 4",
                EVALUATION,
            )
        })
}

fn purpose(node: Node) -> Result<Purpose, Malformed> {
    text(node)?
        .parse()
        .map_err(|_| malformed("`purpose` is not a purpose of the schema", SCHEMA_RULE))
}

fn precedence(node: Node) -> Result<Precedence, Malformed> {
    text(node)?.parse().map_err(|_| {
        malformed(
            "`precedence` is not a precedence of the schema",
            SCHEMA_RULE,
        )
    })
}

fn participant(field: &str, name: &str) -> Result<String, Malformed> {
    name.parse::<ParticipantId>()
        .map(|_| name.to_owned())
        .map_err(|_| {
            malformed(
                format!("`{field}` has something that is not a participant id"),
                SCHEMA_RULE,
            )
        })
}

fn sources(node: Node) -> Result<Vec<Text>, Malformed> {
    let (attributes, mut fields) = open(node)?;
    attributes.end()?;
    let nodes = fields.many("source", MAX_SOURCES)?;
    fields.end()?;
    if nodes.is_empty() {
        return Err(malformed("`derivedFrom` is empty", SCHEMA_RULE));
    }
    nodes
        .into_iter()
        .map(|node| reference("source", node))
        .collect()
}

fn reference(field: &str, node: Node) -> Result<Text, Malformed> {
    let text = text(node)?;
    RULES.line(field, &text, MAX_REFERENCE)?;
    if text.is_empty() {
        return Err(malformed(
            format!("`{field}` is empty: leave it out"),
            SCHEMA_RULE,
        ));
    }
    Ok(Text::new(text))
}

fn recipients(node: Node) -> Result<(Vec<RequestedRecipient>, bool), Malformed> {
    let (mut attributes, mut fields) = open(node)?;
    let europol = attributes
        .optional("europolInCopy")
        .map(|text| boolean("europolInCopy", &text))
        .transpose()?;
    attributes.end()?;
    let mut recipients: Vec<RequestedRecipient> = Vec::new();
    for node in fields.many("recipient", MAX_RECIPIENTS)? {
        let (mut attributes, name) = text_with(node)?;
        let role = match attributes.required("role")?.as_str() {
            "to" => RecipientRole::To,
            "copy" => RecipientRole::Copy,
            _ => {
                return Err(malformed(
                    "the role of a recipient is neither `to` nor `copy`",
                    SCHEMA_RULE,
                ));
            }
        };
        attributes.end()?;
        let name = participant("recipient", &name)?;
        if recipients.iter().any(|before| before.name == name) {
            return Err(malformed("a recipient is named twice", SCHEMA_RULE));
        }
        recipients.push(RequestedRecipient { name, role });
    }
    fields.end()?;
    if recipients.is_empty() {
        return Err(malformed("no recipient", SCHEMA_RULE));
    }
    Ok((recipients, europol.unwrap_or(false)))
}

/// The one place where the channel meets the readers of labels. The handling
/// codes join what the marking says; without a classification there is no label.
pub(super) fn label(
    node: Option<Node>,
    codes: Vec<HandlingCode>,
    on: Date,
) -> Result<AssertedLabel, Malformed> {
    let Some(node) = node else {
        return Ok(AssertedLabel::Absent);
    };
    let (mut attributes, text) = text_with(node)?;
    let country = attributes
        .optional("country")
        .map(|code| code.parse::<Country>())
        .transpose()
        .map_err(|_| {
            malformed(
                "`classification/@country` is not ISO 3166-1 alpha-3",
                SCHEMA_RULE,
            )
        })?;
    attributes.end()?;
    let source = LabelSource::Field;
    Ok(match marking::parse(&text, &ReadOptions { country, on }) {
        Ok(mut label) => {
            label.handling.extend(codes);
            AssertedLabel::Valid { label, source }
        }
        Err(error) => AssertedLabel::Invalid {
            reason: error.to_string(),
            source,
        },
    })
}

const EVALUATION: &str = "Regulation (EU) 2016/794, Article 29";
