//! Structured syntaxes: the published examples, and each malformed label with
//! its own reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use chancery_label::codec::{json, sio_label, stanag4774};
use chancery_label::{Caveat, Fault, HandlingCode, Label, Level, ReadOptions, Tlp};
use time::macros::{date, datetime};

const NOW: ReadOptions = ReadOptions {
    country: None,
    on: date!(2026 - 01 - 01),
};

fn data(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn example() -> Label {
    let mut label = Label::of(Level::Restricted);
    label.handling = [HandlingCode::H2].into();
    label.releasable_to = ["EU".parse().unwrap(), "NOR".parse().unwrap()].into();
    label.tlp = Some(Tlp::Amber);
    label
}

#[test]
fn the_4774_example_reads() {
    let read = stanag4774::read(&data("label-r-ue.4774.xml")).unwrap();
    assert_eq!(read.label().unwrap(), example());
    assert_eq!(read.created, datetime!(2026-11-22 09:00 UTC));
    assert_eq!(read.review, Some(datetime!(2031-11-22 00:00 UTC)));
    assert_eq!(
        read.originator.as_ref().unwrap().value,
        "registry@agency.example"
    );
    let written = stanag4774::write(&read).unwrap();
    assert_eq!(written, data("label-r-ue.4774.xml").trim_end());
}

#[test]
fn each_bad_4774_example_fails_with_its_own_reason() {
    for (name, fault, word) in [
        ("bad-lowercase-type.4774.xml", Fault::Unknown, "capitals"),
        (
            "bad-no-creation.4774.xml",
            Fault::Missing,
            "CreationDateTime",
        ),
        ("bad-no-tagname.4774.xml", Fault::Missing, "tag name"),
    ] {
        let error = stanag4774::read(&data(name)).unwrap_err();
        assert_eq!(error.fault, fault, "{name}: {error}");
        assert!(error.to_string().contains(word), "{name}: {error}");
    }
}

#[test]
fn strict_xml() {
    let good = data("label-r-ue.4774.xml");
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
    for (text, fault, word) in [
        (
            change("GenericValue>H2", "GenericValue xmlns:slab=\"urn:x\">H2"),
            Fault::Unknown,
            "namespace",
        ),
        (
            format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{good}"),
            Fault::Malformed,
            "DTD",
        ),
        (format!("<?pi x?>{good}"), Fault::Malformed, "processing"),
        (
            change("<slab:Classification>", "<!-- x --><slab:Classification>"),
            Fault::Malformed,
            "comment",
        ),
        (
            change(
                "<slab:Classification>",
                "<slab:Classification URI=\"urn:oid:1.2\">",
            ),
            Fault::Unknown,
            "attribute",
        ),
        (
            change("urn:oid:2.25", "oid:2.25"),
            Fault::Malformed,
            "urn:oid",
        ),
        (change(">H2<", ">&h2;<"), Fault::Malformed, "entity"),
        (
            change("<slab:GenericValue>H2</slab:GenericValue>", ""),
            Fault::Missing,
            "no value",
        ),
        (
            change(
                "<slab:GenericValue>H2</slab:GenericValue>",
                "<slab:IntegerValue>2</slab:IntegerValue>",
            ),
            Fault::Unknown,
            "GenericValue",
        ),
        (
            change("rfc822Name", "nickname"),
            Fault::Unknown,
            "kind of name",
        ),
        (
            change("2026-11-22T09:00:00Z</", "2026-11-22T09:00:00</"),
            Fault::Malformed,
            "time zone",
        ),
        (
            change(
                "</slab:originatorConfidentialityLabel>",
                "<x xmlns=\"urn:y\"/></slab:originatorConfidentialityLabel>",
            ),
            Fault::Unknown,
            "namespace",
        ),
        (format!("{good}{good}"), Fault::Malformed, "second root"),
        (
            good.replace(
                "originatorConfidentialityLabel",
                "alternateConfidentialityLabel",
            ),
            Fault::Unknown,
            "three label elements",
        ),
        (deep, Fault::TooLarge, "deep"),
        (" ".repeat(70_000), Fault::TooLarge, "larger"),
        (String::new(), Fault::Empty, "empty"),
        (
            change(
                "ConfidentialityInformation><slab:P",
                "ConfidentialityInformation>text<slab:P",
            ),
            Fault::Malformed,
            "beside",
        ),
    ] {
        let error = stanag4774::read(&text).unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    let many = change(
        "<slab:GenericValue>H2</slab:GenericValue></slab:Category>",
        &format!(
            "<slab:GenericValue>H2</slab:GenericValue></slab:Category>{}",
            "<slab:Category Type=\"INFORMATIVE\" TagName=\"x\"><slab:GenericValue>y</slab:GenericValue></slab:Category>".repeat(64)
        ),
    );
    assert_eq!(stanag4774::read(&many).unwrap_err().fault, Fault::TooLarge);
}

#[test]
fn meaning_is_strict_too() {
    let good = data("label-r-ue.4774.xml");
    for (from, to, fault) in [
        ("EUCI-EXAMPLE", "NATO", Fault::Conflict),
        ("931\">EUCI", "932\">EUCI", Fault::Unknown),
        ("RESTREINT UE/EU RESTRICTED", "RESTREINT", Fault::Unknown),
        (">H2<", ">H9<", Fault::Unknown),
        (
            "TagName=\"Handling\"",
            "TagName=\"Handing\"",
            Fault::Unknown,
        ),
        (
            "RESTRICTIVE\" TagName",
            "PERMISSIVE\" TagName",
            Fault::Conflict,
        ),
        (">NOR<", ">QQQ<", Fault::Unknown),
        (">NOR<", ">EU<", Fault::Conflict),
        ("931.1\"", "931.2\"", Fault::Unknown),
    ] {
        assert!(good.contains(from), "{from}");
        let error = stanag4774::read(&good.replacen(from, to, 1))
            .unwrap()
            .label()
            .unwrap_err();
        assert_eq!(error.fault, fault, "{from}: {error}");
    }
}

#[test]
fn the_mail_example_reads() {
    let mail = data("sio-label.eml");
    let from = mail.find("SIO-Label: ").unwrap() + "SIO-Label: ".len();
    let to = mail.find("MIME-Version").unwrap();
    let header = sio_label::read(&mail[from..to]).unwrap();
    assert_eq!(header.bgcolor.as_deref(), Some("#FFFF99"));
    assert_eq!(header.label(&NOW).unwrap(), example());
    assert_eq!(sio_label::read(&sio_label::write(&header)).unwrap(), header);
}

#[test]
fn sio_label_refuses_what_the_rfc_forbids() {
    for (header, fault) in [
        ("", Fault::Malformed),
        ("fgcolor=black", Fault::Conflict),
        ("type=\":xml\"", Fault::Missing),
        ("label=\"AAAA\"", Fault::Missing),
        ("marking=\"R-UE\"; marking=\"NC\"", Fault::Conflict),
        ("marking=\"R-UE\"; marking*0=\"NC\"", Fault::Conflict),
        ("marking*0=\"R-\"; marking*2=\"UE\"", Fault::Malformed),
        ("marking*1=\"R-\"; marking*2=\"UE\"", Fault::Malformed),
        ("marking*=iso-8859-1''R-UE", Fault::Unknown),
        ("marking*=utf-8'R-UE", Fault::Malformed),
        ("marking*=utf-8''%4", Fault::Malformed),
        ("marking*=us-ascii''%C3%A9", Fault::Malformed),
        ("marking=\"R-UE", Fault::Malformed),
        (
            "marking=\"R-UE\"; type=\":foo\"; label=AAAA",
            Fault::Unknown,
        ),
        (
            "marking=\"R-UE\"; type=\":ess\"; label=\"A\"",
            Fault::Malformed,
        ),
        ("marking=\"R-UE\"; bgcolor=pink", Fault::Unknown),
        ("marking=\"R-UE\"\r\nBcc: x", Fault::Malformed),
        ("marking=\"é\"", Fault::Malformed),
        ("foo=bar", Fault::Missing),
    ] {
        let error = sio_label::read(header).unwrap_err();
        assert_eq!(error.fault, fault, "{header}: {error}");
    }
    let header = sio_label::read("Marking*=UTF-8'en'R%2DUE; x-unknown=1; fgcolor=Black;").unwrap();
    assert_eq!(
        (header.marking.as_deref(), header.language.as_deref()),
        (Some("R-UE"), Some("en"))
    );
    assert_eq!(header.label(&NOW).unwrap(), Label::of(Level::Restricted));
}

#[test]
fn a_marking_that_says_more_than_the_label_is_a_conflict() {
    let label = stanag4774::read(&data("label-r-ue.4774.xml")).unwrap();
    let mut header = sio_label::SioLabel::of(&label).unwrap();
    assert_eq!(header.label(&NOW).unwrap(), example());
    for marking in [
        "SECRET UE/EU SECRET",
        "NC",
        "RESTREINT UE/EU RESTRICTED CRYPTO",
        "R-UE TLP:RED",
    ] {
        header.marking = Some(marking.to_owned());
        assert_eq!(
            header.label(&NOW).unwrap_err().fault,
            Fault::Conflict,
            "{marking}"
        );
    }
}

#[test]
fn json_both_forms() {
    let mut label = example();
    label.caveats = [Caveat::Limite].into();
    assert_eq!(json::read(&json::write(&label), &NOW).unwrap(), label);
    assert_eq!(
        json::read("\"R-UE\"", &NOW).unwrap(),
        Label::of(Level::Restricted)
    );
    for (text, fault) in [
        ("{\"level\":\"R-UE\",\"level\":\"NC\"}", Fault::Malformed),
        ("{\"level\":\"R-UE\",\"colour\":\"red\"}", Fault::Malformed),
        ("{\"level\":\"X\"}", Fault::Malformed),
        ("{}", Fault::Malformed),
        ("7", Fault::Malformed),
        (
            "{\"level\":\"NC\",\"caveats\":[\"CRYPTO\"]}",
            Fault::Combination,
        ),
        (
            "{\"level\":\"R-UE\",\"releasable_to\":[\"QQQ\"]}",
            Fault::Unknown,
        ),
        (
            "{\"level\":\"R-UE\",\"national\":{\"country\":\"DEU\",\"marking\":\"HUSH\"}}",
            Fault::Unknown,
        ),
    ] {
        assert_eq!(json::read(text, &NOW).unwrap_err().fault, fault, "{text}");
    }
}

/// Labels of another policy than the EU's: the level it is protected with, and
/// its own marking beside it.
#[test]
fn labels_of_other_policies_read() {
    let good = data("label-r-ue.4774.xml");
    let with = |policy: &str, oid: &str, class: &str| {
        let text = good
            .replace("EUCI-EXAMPLE", policy)
            .replace(
                "2.25.212377967320934561829467420961387220931\"",
                &format!("{oid}\""),
            )
            .replace("RESTREINT UE/EU RESTRICTED", class);
        let from = text.find("<slab:Category").unwrap();
        let to = text.rfind("</slab:Category>").unwrap() + "</slab:Category>".len();
        stanag4774::read(&(text[..from].to_owned() + &text[to..]))
            .unwrap()
            .label()
    };
    let national = |number: u16| format!("2.25.82250775978624308928652632380474822711.90.{number}");
    let oid = &national(276);
    let text = |label: Label| chancery_label::marking::format(&label);
    assert_eq!(
        text(with("DEU-NATIONAL", oid, "vs-nur für den dienstgebrauch").unwrap()),
        "RESTREINT UE/EU RESTRICTED [DEU VS - NUR FÜR DEN DIENSTGEBRAUCH]"
    );
    for class in ["SECRET", "NATO SECRET", "Secret"] {
        assert_eq!(
            text(with("NATO", "1.3.26.1.3.1", class).unwrap()),
            "SECRET UE/EU SECRET [NATO NATO SECRET]"
        );
    }
    assert_eq!(
        with("DEU-NATIONAL", oid, "SECRET").unwrap_err().fault,
        Fault::Unknown
    );
    assert_eq!(
        with("DEU-NATIONAL", "1.3.26.1.3.1", "GEHEIM")
            .unwrap_err()
            .fault,
        Fault::Conflict
    );
    let french = with("FRA-NATIONAL", &national(250), "SECRET DÉFENSE").unwrap();
    assert!(text(french).contains("[FRA SECRET DÉFENSE]"));
    assert_eq!(
        text(with("SWE-NATIONAL", &national(752), "Hemlig").unwrap()),
        "SECRET UE/EU SECRET [SWE Hemlig]"
    );
}

/// Two permissive blocks are two checks: what they share is left.
#[test]
fn two_releasability_blocks_intersect() {
    let good = data("label-r-ue.4774.xml");
    let end = "<slab:GenericValue>NOR</slab:GenericValue></slab:Category>";
    let block = |code: &str| {
        format!(
            "{end}<slab:Category Type=\"PERMISSIVE\" TagName=\"Releasable To\"><slab:GenericValue>{code}</slab:GenericValue></slab:Category>"
        )
    };
    let read = |code: &str| {
        stanag4774::read(&good.replacen(end, &block(code), 1))
            .unwrap()
            .label()
    };
    assert_eq!(
        read("NOR").unwrap().releasable_to,
        ["NOR".parse().unwrap()].into()
    );
    assert_eq!(read("CHE").unwrap_err().fault, Fault::Conflict);
}

/// Found by the fuzzer: what has no one form is refused or given one.
#[test]
fn one_meaning_has_one_form() {
    use chancery_label::binding;
    use chancery_label::codec::ess;
    let kept = |name: &str| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus");
        std::fs::read(format!("{root}/{name}")).unwrap()
    };
    let bytes = kept("ess_roundtrip/categories-in-another-order");
    let read = ess::read(&bytes).unwrap();
    assert_eq!(ess::read(&ess::write(&read).unwrap()).as_ref(), Ok(&read));
    let tab = kept("stanag_4774_roundtrip/tab-in-an-attribute");
    let error = stanag4774::read(std::str::from_utf8(&tab).unwrap()).unwrap_err();
    assert!(error.to_string().contains("control characters"), "{error}");
    let escaped = kept("binding_4778_is_judged/escaped-namespace");
    let error = binding::canonical(std::str::from_utf8(&escaped).unwrap()).unwrap_err();
    assert!(error.to_string().contains("plain URI"), "{error}");
}
