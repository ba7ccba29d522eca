//! Every word that may describe an event.
//!
//! To add a word: one row in `keys!`, and the word in the rows of the events that
//! say it. Rows are never renamed or removed: logs that hold them must stay
//! readable.

use std::fmt;
use std::str::FromStr;

use crate::catalogue::EventKind;

/// Not a name of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0} of this version's catalogue")]
pub struct UnknownName(pub &'static str);

macro_rules! keys {
    ($($variant:ident = $name:literal: $meaning:literal,)+) => {
        /// A word under which an event says something of itself. Never content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Key {
            $(#[doc = $meaning] $variant,)+
        }

        impl Key {
            /// All words.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it is recorded.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it says.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

keys! {
    Address = "address": "address of the peer, as the door saw it",
    Alarm = "alarm": "which alarm",
    Approvals = "approvals": "who approved it",
    Articles = "articles": "articles of the agreement: those it came under, or the one that stands against it",
    Asserted = "asserted": "the label as the sender put it",
    Attempt = "attempt": "which attempt, counted from 1",
    Attributes = "attributes": "names of the fields that changed",
    Body = "body": "id of the sealed body",
    Bytes = "bytes": "size in bytes",
    Case = "case": "id of the case",
    Certificate = "certificate": "SHA-256 of the certificate",
    Channel = "channel": "the channel",
    Checkpoint = "checkpoint": "size of the log at the checkpoint",
    Command = "command": "the command that asked for it",
    Count = "count": "how many",
    Deadline = "deadline": "until when it holds",
    Deliveries = "deliveries": "ids of deliveries",
    Digest = "digest": "SHA-256 of what it is about; never of content",
    Due = "due": "when it is tried again",
    Effective = "effective": "the label that holds",
    Epoch = "epoch": "the epoch of directory, agreements and policy",
    Error = "error": "class of the failure",
    Evidence = "evidence": "SHA-256 of what tests, replay and proof said of a policy set",
    Exit = "exit": "exit status or signal",
    Expires = "expires": "when it ends",
    External = "external": "keyed digest of the sender's own id of the message",
    Flips = "flips": "past decisions that other rules would decide differently",
    Floor = "floor": "the lowest label of the channel",
    Found = "found": "labels found in the content",
    From = "from": "the first of the range",
    Gates = "gates": "the gates that spoke",
    Generation = "generation": "which generation of the key",
    Group = "group": "the key exchange group",
    Head = "head": "head of another log",
    Kek = "kek": "the key-encryption key",
    KeyRole = "key-role": "the role of the key",
    Label = "label": "the label",
    Mou = "mou": "the agreement",
    Name = "name": "the name of it",
    Node = "node": "the node",
    Obligations = "obligations": "what the recipient must do with it",
    Officer = "officer": "the officer concerned",
    Original = "original": "id of the sealed original",
    Originator = "originator": "the originator",
    Outcome = "outcome": "how it ended",
    Parts = "parts": "number of parts",
    Participant = "participant": "the participant concerned",
    Permit = "permit": "what kind of permit",
    Person = "person": "the person concerned",
    Pid = "pid": "process id",
    Policy = "policy": "digest of the policy set",
    Precedence = "precedence": "how urgent",
    Previous = "previous": "what it was before",
    Process = "process": "the process concerned",
    Proof = "proof": "how the identity was proven",
    Proved = "proved": "what a solver proved of a policy set",
    Purpose = "purpose": "for what the information is passed on",
    Query = "query": "what was asked of the log",
    Quorum = "quorum": "how many votes it needs",
    Reason = "reason": "why, in words that may be recorded",
    Recipient = "recipient": "the recipient",
    Recipients = "recipients": "the recipients",
    Registration = "registration": "registration number",
    Role = "role": "the role asked for",
    Root = "root": "root hash of a sealed message or a log",
    Rows = "rows": "rows that this record anchors, as table/key@version",
    Rule = "rule": "the rule that was broken",
    Sender = "sender": "who handed it over",
    Signature = "signature": "what the signature proved",
    Size = "size": "number of records",
    Skew = "skew": "difference of clocks, microseconds",
    Source = "source": "where it came from",
    Stage = "stage": "the station of the route",
    Status = "status": "the status given to the peer",
    Ticket = "ticket": "hash of the ticket",
    To = "to": "the last of the range",
    Uid = "uid": "user id",
    Until = "until": "until when",
    Verdict = "verdict": "permit, review or refuse",
    Version = "version": "version of it",
    Vote = "vote": "approve or refuse",
    Votes = "votes": "the votes so far",
    Zone = "zone": "the zone of the door",
}

// === impl Key ===

impl Key {
    /// Words that may describe any event.
    pub const ANY: &'static [Self] = &[Self::Reason, Self::Name, Self::Error, Self::Node];

    /// True if an event of that kind may say this.
    #[must_use]
    pub fn describes(self, kind: EventKind) -> bool {
        Self::ANY.contains(&self) || kind.keys().contains(&self)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Key {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|key| key.name() == text)
            .ok_or(UnknownName("a word"))
    }
}

// Sorted by the recorded name, so that a map of details is in canonical order.
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}
