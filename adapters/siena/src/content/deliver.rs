//! A delivery in XML.

use chancery_label::{Label, marking};
use chancery_message::{SienaFields, SienaKind, Text, UrgencyGround};
use chancery_pipeline::view::{AttachmentView, DeliveryView, Party};

use super::reply::role;
use super::write::Writer;

/// A delivery, with the registration that this recipient may see. The marking
/// stands first and last.
pub(super) fn delivery(view: &DeliveryView, registration: Option<&str>) -> String {
    Writer::document("delivery", &[("version", "1")], |xml| {
        xml.text("marking", &view.marking);
        xml.value("deliveryId", view.delivery);
        xml.value("messageId", view.message);
        xml.optional("registration", registration);
        xml.value("sentAt", view.sent_at);
        xml.optional("dueAt", view.due_at);
        party(xml, "from", &view.from);
        xml.within("recipients", &[], |xml| {
            for (recipient, as_role) in &view.recipients {
                let attributes = [("role", role(*as_role)), ("name", &recipient.name)];
                xml.text_with("recipient", &attributes, recipient.id.as_str());
            }
        });
        if let Some(originator) = &view.originator {
            party(xml, "originator", originator);
        }
        label(xml, &view.label);
        xml.within("obligations", &[], |xml| {
            for obligation in &view.obligations {
                xml.text("obligation", obligation);
            }
        });
        xml.text("precedence", view.precedence.name());
        xml.text("purpose", view.purpose.word());
        xml.value("personalData", view.personal_data);
        if let Some(codes) = view.evaluation {
            let codes = codes.to_string();
            if let Some((source, information)) = codes.split_at_checked(1) {
                xml.empty(
                    "evaluation",
                    &[("source", source), ("information", information)],
                );
            }
        }
        if let Some(fields) = &view.siena {
            siena(xml, fields);
        }
        xml.optional("reference", view.reference.as_ref().map(Text::expose));
        let answered = view.in_reply_to.as_ref();
        xml.optional("inReplyTo", answered.map(|one| one.id.expose()));
        xml.text("subject", view.subject.expose());
        xml.text("text", view.body.expose());
        xml.within("attachments", &[], |xml| {
            view.attachments.iter().for_each(|one| attachment(xml, one))
        });
        xml.text("closingMarking", &view.marking);
    })
}

/// A label, part by part.
pub(super) fn label(xml: &mut Writer, label: &Label) {
    let mut attributes = vec![("level", label.level.code())];
    if let Some(tlp) = label.tlp {
        attributes.push(("tlp", tlp.code()));
    }
    if let Some(pap) = label.pap {
        attributes.push(("pap", pap.code()));
    }
    xml.within("label", &attributes, |xml| {
        if let Some(national) = &label.national {
            xml.text_with(
                "national",
                &[("country", &national.country)],
                &national.marking,
            );
        }
        for caveat in &label.caveats {
            xml.text("caveat", caveat.code());
        }
        for code in &label.releasable_to {
            xml.text("releasableTo", code.as_str());
        }
        for code in &label.handling {
            xml.text("handlingCode", code.code());
        }
    });
}

fn party(xml: &mut Writer, name: &str, party: &Party) {
    xml.text_with(name, &[("name", &party.name)], party.id.as_str());
}

fn siena(xml: &mut Writer, fields: &SienaFields) {
    let kind = match fields.kind {
        SienaKind::Request => "request",
        SienaKind::Answer => "answer",
        SienaKind::Information => "information",
        SienaKind::Update => "update",
    };
    xml.text("kind", kind);
    if let Some(ground) = fields.urgency {
        let ground = match ground {
            UrgencyGround::PublicSecurity => "public-security",
            UrgencyGround::LifeOrIntegrity => "life-or-integrity",
            UrgencyGround::RestrictiveMeasures => "restrictive-measures",
            UrgencyGround::LosingRelevance => "losing-relevance",
        };
        xml.empty("urgency", &[("ground", ground)]);
    }
    xml.value("directlyAccessible", fields.directly_accessible);
    xml.optional(
        "caseReference",
        fields.case_reference.as_ref().map(Text::expose),
    );
    xml.value("europolInCopy", fields.europol_in_copy);
}

fn attachment(xml: &mut Writer, attachment: &AttachmentView) {
    let attributes = [
        ("index", &*attachment.index.to_string()),
        ("name", attachment.name.expose()),
        ("mediaType", &attachment.media_type),
        ("size", &*attachment.size.to_string()),
        ("sha256", &*hex::encode(attachment.sha256)),
    ];
    xml.within("attachment", &attributes, |xml| {
        if let Some(own) = &attachment.label {
            xml.text("marking", &marking::format(own));
            label(xml, own);
        }
    });
}
