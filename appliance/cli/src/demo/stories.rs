//! The messages of the demo, and what each must come to. The gates are those
//! of the decision's description; the golden matrix of the tests has the same.

use chancery_hsm_api::DoorZone::{self, Mail, Rest, Siena};

/// One message.
#[derive(Debug)]
pub(super) struct Story {
    /// Its name, short.
    pub(super) name: &'static str,
    /// What it shows, in one sentence.
    pub(super) shows: &'static str,
    /// The channels that it needs.
    pub(super) needs: &'static [DoorZone],
    /// By which channel it comes.
    pub(super) by: DoorZone,
    /// Who sends it.
    pub(super) from: &'static str,
    /// To whom.
    pub(super) to: &'static str,
    /// By which channel the recipient is reached.
    pub(super) arrives_by: DoorZone,
    /// The level's code, with TLP and handling codes; none leaves the label out.
    pub(super) label: Option<Label>,
    /// The purpose, where the channel has a field for it.
    pub(super) purpose: Option<&'static str>,
    /// What people do about it.
    pub(super) people: People,
    /// What the rules say.
    pub(super) expect: Expect,
}

/// A label, part by part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) level: &'static str,
    pub(super) marking: &'static str,
    pub(super) tlp: Option<&'static str>,
    pub(super) handling: &'static [&'static str],
}

/// What people do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum People {
    /// Nothing.
    Nothing,
    /// These officers approve, one after the other.
    Approve(&'static [&'static str]),
    /// This officer gives it this label.
    GiveLabel(&'static str, &'static str),
    /// Its recipient passes it on to this participant.
    Forward(&'static str),
}

/// What must come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Permitted, delivered, received.
    Delivered,
    /// Refused by these gates.
    Refused(&'static [&'static str]),
    /// Held by these gates, approved, then delivered.
    ApprovedAfter(&'static [&'static str]),
    /// Kept for an officer, labelled, then delivered.
    LabelledThenDelivered,
    /// Delivered; passed on, it is refused by these gates.
    ForwardRefused(&'static [&'static str]),
}

const NC: Label = Label {
    level: "NC",
    marking: "UNCLASSIFIED",
    tlp: None,
    handling: &[],
};
const R_UE: Label = Label {
    level: "R-UE",
    marking: "RESTREINT UE/EU RESTRICTED",
    ..NC
};
const C_UE: Label = Label {
    level: "C-UE",
    marking: "CONFIDENTIEL UE/EU CONFIDENTIAL",
    ..NC
};

/// All messages of the demo.
pub(super) const TABLE: &[Story] = &[
    Story {
        name: "incident report",
        shows: "Two CSIRTs of one community: nothing stands against it.",
        needs: &[Rest],
        by: Rest,
        from: "csirt-alpha",
        to: "cert-eu",
        arrives_by: Rest,
        label: Some(R_UE),
        purpose: Some("cyber-crisis"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "indicators for police",
        shows: "Across communities: the MoU between CSIRTs and Europol covers it.",
        needs: &[Rest, Siena],
        by: Rest,
        from: "cert-eu",
        to: "europol-ec3",
        arrives_by: Siena,
        label: Some(R_UE),
        purpose: Some("cyber-crisis"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "report for diplomats",
        shows: "Out by mail: signed with the gateway's key in the token, encrypted to the recipient.",
        needs: &[Rest, Mail],
        by: Rest,
        from: "cert-eu",
        to: "eeas-intcen",
        arrives_by: Mail,
        label: Some(R_UE),
        purpose: Some("cyber-crisis"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "request for information",
        shows: "Structured law-enforcement exchange in, REST out; H0 keeps its use to law enforcement.",
        needs: &[Siena, Rest],
        by: Siena,
        from: "europol-ec3",
        to: "csirt-alpha",
        arrives_by: Rest,
        label: Some(Label {
            handling: &["H0"],
            ..R_UE
        }),
        purpose: Some("law-enforcement"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "hybrid threat",
        shows: "Structured exchange in, encrypted mail out.",
        needs: &[Siena, Mail],
        by: Siena,
        from: "europol-ec3",
        to: "eeas-intcen",
        arrives_by: Mail,
        label: Some(Label {
            handling: &["H0"],
            ..R_UE
        }),
        purpose: Some("law-enforcement"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "situation report",
        shows: "Encrypted and signed by gpg, opened with the key in the token, out by REST.",
        needs: &[Mail, Rest],
        by: Mail,
        from: "eeas-intcen",
        to: "eu-military-staff",
        arrives_by: Rest,
        label: Some(R_UE),
        purpose: None,
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "lead for investigators",
        shows: "Encrypted and signed by gpg, out by structured exchange.",
        needs: &[Mail, Siena],
        by: Mail,
        from: "eeas-intcen",
        to: "europol-ec3",
        arrives_by: Siena,
        label: Some(R_UE),
        purpose: None,
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "letter to diplomats",
        shows: "Mail in, mail out: opened, judged and written anew; no byte of the first is in the second.",
        needs: &[Mail],
        by: Mail,
        from: "cert-eu",
        to: "eeas-intcen",
        arrives_by: Mail,
        label: Some(R_UE),
        purpose: None,
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "question among police",
        shows: "Structured exchange in and out, inside one community.",
        needs: &[Siena],
        by: Siena,
        from: "europol-ec3",
        to: "spoc-fra",
        arrives_by: Siena,
        label: Some(Label {
            handling: &["H0"],
            ..R_UE
        }),
        purpose: Some("law-enforcement"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "indicators for a vendor",
        shows: "A private company may have indicators up to TLP:GREEN under its own MoU.",
        needs: &[Rest],
        by: Rest,
        from: "cert-eu",
        to: "vendor-sentinel",
        arrives_by: Rest,
        label: Some(Label {
            tlp: Some("GREEN"),
            ..NC
        }),
        purpose: Some("cyber-crisis"),
        people: People::Nothing,
        expect: Expect::Delivered,
    },
    Story {
        name: "too much for a vendor",
        shows: "The same company may not have classified information: five gates say so.",
        needs: &[Rest],
        by: Rest,
        from: "cert-eu",
        to: "vendor-sentinel",
        arrives_by: Rest,
        label: Some(R_UE),
        purpose: Some("cyber-crisis"),
        people: People::Nothing,
        expect: Expect::Refused(&["G03", "G04", "G06", "G10", "G11"]),
    },
    Story {
        name: "the MoU has expired",
        shows: "CSIRTs and the military staff had an MoU until 2024; nobody renewed it.",
        needs: &[Rest],
        by: Rest,
        from: "cert-eu",
        to: "eu-military-staff",
        arrives_by: Rest,
        label: Some(R_UE),
        purpose: Some("cyber-defence"),
        people: People::Nothing,
        expect: Expect::Refused(&["G06"]),
    },
    Story {
        name: "restrictions in words",
        shows: "H3 means a person must read it: from C-UE up two officers, and never the sender's own.",
        needs: &[Rest],
        by: Rest,
        from: "csirt-alpha",
        to: "cert-eu",
        arrives_by: Rest,
        label: Some(Label {
            handling: &["H3"],
            ..C_UE
        }),
        purpose: Some("law-enforcement"),
        people: People::Approve(&["anna", "bruno"]),
        expect: Expect::ApprovedAfter(&["G22"]),
    },
    Story {
        name: "not to be passed on",
        shows: "TLP:AMBER+STRICT stays inside the organisation that received it.",
        needs: &[Rest],
        by: Rest,
        from: "csirt-alpha",
        to: "cert-eu",
        arrives_by: Rest,
        label: Some(Label {
            tlp: Some("AMBER+STRICT"),
            ..NC
        }),
        purpose: Some("cyber-crisis"),
        people: People::Forward("vendor-sentinel"),
        expect: Expect::ForwardRefused(&["G06", "G15"]),
    },
    Story {
        name: "forgotten label",
        shows: "A mail without a label is not unclassified: an officer labels it.",
        needs: &[Mail, Rest],
        by: Mail,
        from: "eeas-intcen",
        to: "eu-military-staff",
        arrives_by: Rest,
        label: None,
        purpose: None,
        people: People::GiveLabel("greta", "RESTREINT UE/EU RESTRICTED"),
        expect: Expect::LabelledThenDelivered,
    },
];
