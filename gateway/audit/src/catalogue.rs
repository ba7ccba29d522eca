//! Every event that the log can hold. The words that describe them are in
//! [`crate::words`].
//!
//! To add an event: one row in `events!`. Rows are never renamed or removed: logs
//! that hold them must stay readable.

use std::fmt;
use std::str::FromStr;

use crate::words::{Key, UnknownName};

/// How much attention an event wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The ordinary course of things.
    Info,
    /// Ordinary, but somebody will want to know.
    Notice,
    /// Something was refused or went wrong.
    Warning,
    /// An officer must look.
    Alarm,
}

impl Severity {
    /// `info`, `notice`, `warning`, `alarm`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! events {
    ($($variant:ident = $name:literal, $severity:ident, $meaning:literal, [$($key:ident),* $(,)?];)+) => {
        /// What happened: noun, dot, past verb.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $(#[doc = $meaning] $variant,)+
        }

        impl EventKind {
            /// All kinds, in the catalogue's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as it is recorded, for example `release.opened`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One line of meaning.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// How much attention it wants.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// The words that describe this kind, beside [`Key::ANY`].
            #[must_use]
            pub const fn keys(self) -> &'static [Key] {
                match self { $(Self::$variant => &[$(Key::$key),*],)+ }
            }
        }
    };
}

events! {
    // === intake ===
    MessageReceived = "message.received", Info, "a door took in a message",
        [Address, Body, Bytes, Certificate, Channel, Group, Kek, Proof, Ticket, Zone, Rows];
    MessageParsed = "message.parsed", Info, "a reader made a submission of it",
        [Channel, Parts, Bytes, Recipients, Precedence, Signature, Zone, Original];
    MessageMalformed = "message.malformed", Warning, "the bytes are no message of that channel: refused",
        [Address, Channel, Rule, Zone, Bytes, Original, Status];
    OriginatorAuthenticated = "originator.authenticated", Info, "the sender is who it says it is",
        [Channel, Certificate, Originator, Participant, Proof, Sender, Signature];
    OriginatorUnknown = "originator.unknown", Warning, "nobody of the directory proved to be the sender",
        [Address, Channel, Certificate, Proof, Sender, Signature, Original];
    LabelAssigned = "label.assigned", Info, "the message has its label",
        [Asserted, Effective, Floor, Found, Label, Source];
    LabelRaised = "label.raised", Notice, "the label was raised above the one the sender put",
        [Asserted, Effective, Floor, Found, Label, Source];
    LabelConflict = "label.conflict", Warning, "the labels found share no recipient, or contradict each other",
        [Asserted, Effective, Floor, Found, Label, Source];
    MessageSealed = "message.sealed", Info, "the content was sealed under the key of its label",
        [Bytes, Effective, Generation, Kek, Label, Original, Parts, Root, Rows];
    MessageRegistered = "message.registered", Info, "the message was entered in the register",
        [Effective, External, Label, Originator, Precedence, Recipients, Registration, Root, Rows, Sender];
    MessageQuarantined = "message.quarantined", Warning, "the message is kept for an officer",
        [Address, Case, Channel, Originator, Original, Rule, Sender, Stage, Rows];
    MessageDuplicate = "message.duplicate", Notice, "the message was here before: nothing is done again",
        [Channel, External, Originator, Previous, Sender];
    MessageExpired = "message.expired", Notice, "the content's time is over: its key was destroyed",
        [Generation, Kek, Until, Rows];
    MessageCorrupt = "message.corrupt", Alarm, "sealed bytes or a row are not what was written",
        [Body, Error, Parts, Rows, Stage];

    // === release ===
    ReleaseChecked = "release.checked", Info, "a participant asked what would happen, without sending",
        [Channel, Effective, Epoch, Gates, Label, Originator, Policy, Recipients, Sender, Verdict];
    ReleasePermitted = "release.permitted", Info, "the rules let the recipient have it",
        [Articles, Channel, Effective, Epoch, Gates, Mou, Obligations, Policy, Recipient, Verdict, Rows];
    ReleaseHeld = "release.held", Notice, "an officer must judge first",
        [Articles, Case, Channel, Effective, Epoch, Gates, Mou, Policy, Quorum, Recipient, Verdict, Rows];
    ReleaseRefused = "release.refused", Warning, "the rules do not let the recipient have it",
        [Articles, Channel, Effective, Epoch, Gates, Mou, Policy, Recipient, Verdict, Rows];
    InboxListed = "inbox.listed", Info, "a recipient was shown what waits for it",
        [Channel, Deliveries, Recipient];
    ReleaseBarred = "release.barred", Notice, "it waits: the session that would carry it is not allowed for its label",
        [Certificate, Channel, Effective, Group, Recipient];
    ReleaseOpened = "release.opened", Info, "the seal was opened to deliver; bytes may leave from now on",
        [Articles, Attempt, Channel, Deadline, Digest, Effective, Epoch, Gates, Mou, Obligations, Permit, Policy, Recipient, Rows];
    ReleaseCompleted = "release.completed", Info, "the recipient has it",
        [Attempt, Channel, Outcome, Recipient, Rows];
    ReleaseDeferred = "release.deferred", Notice, "it could not be delivered now; it is tried again",
        [Attempt, Channel, Due, Error, Outcome, Recipient, Rows];
    ReleaseExpired = "release.expired", Warning, "it was not delivered in its time",
        [Attempt, Channel, Outcome, Recipient, Rows];
    ReleaseUncertain = "release.uncertain", Alarm, "bytes may have left, but nothing says so",
        [Attempt, Channel, Epoch, Outcome, Recipient, Rows];
    ReceiptReminded = "receipt.reminded", Notice, "a receipt is due: the recipient is reminded",
        [Channel, Due, Recipient, Rows];
    ReceiptOverdue = "receipt.overdue", Warning, "a receipt did not come in its time",
        [Channel, Due, Recipient, Rows];
    ReceiptRegistered = "receipt.registered", Info, "the recipient has it, registered at its end too",
        [Channel, Recipient, Registration];
    PersonRefused = "person.refused", Warning, "a person asked for what is above that person's own clearance",
        [Channel, Effective, Recipient];
    RegistryPassed = "registry.passed", Notice, "the central registry has it: it may go on to its recipient abroad",
        [Channel, Participant, Recipient, Registration, Rows];
    ReleaseWithdrawn = "release.withdrawn", Notice, "the sender took it back before it was delivered",
        [Channel, Recipient, Rows];

    // === review and consent ===
    ReviewOpened = "review.opened", Notice, "a case was put before the officers",
        [Case, Effective, Gates, Quorum, Recipient, Rows];
    ReviewClaimed = "review.claimed", Info, "an officer took the case up",
        [Case, Officer, Until, Rows];
    ReviewVoted = "review.voted", Notice, "an officer voted",
        [Case, Digest, Officer, Quorum, Recipient, Vote, Votes, Rows];
    ReviewClosed = "review.closed", Notice, "the officers have decided",
        [Case, Gates, Officer, Outcome, Quorum, Recipient, Vote, Votes, Rows];
    ContentRead = "content.read", Notice, "an officer read content by a permit",
        [Case, Effective, Officer, Parts, Permit, Purpose];
    ConsentRequested = "consent.requested", Notice, "the originator was asked for its consent",
        [Case, Originator, Purpose, Recipient, Until, Rows];
    ConsentGranted = "consent.granted", Notice, "the originator consented",
        [Case, Digest, Originator, Purpose, Recipient, Until, Rows];
    ConsentRefused = "consent.refused", Notice, "the originator did not consent",
        [Case, Digest, Originator, Purpose, Recipient, Rows];
    ConsentExpired = "consent.expired", Notice, "the originator did not answer in time: the release is over",
        [Case, Originator, Recipient, Until, Rows];
    ConsentRejected = "consent.rejected", Warning, "a consent was offered that is not the originator's, or not for this",
        [Case, Digest, Originator, Recipient, Rule];

    // === attachments ===
    AttachmentUploaded = "attachment.uploaded", Info, "a participant uploaded a body, sealed unread",
        [Body, Bytes, Channel, Digest, Expires, Kek, Participant, Rows];
    AttachmentExpired = "attachment.expired", Info, "an upload that no message used was destroyed",
        [Body, Participant, Rows];

    // === doors, processes, roles ===
    DoorRefused = "door.refused", Warning, "a door refused a peer by its transport rules",
        [Address, Bytes, Certificate, Channel, Count, Group, Rule, Status, Zone];
    PeerUnknown = "peer.unknown", Warning, "a valid certificate of nobody in the directory",
        [Address, Certificate, Channel, Status, Zone];
    RoleRefused = "role.refused", Alarm, "a process asked for a role that is not its own",
        [KeyRole, Pid, Process, Role, Uid, Zone];
    ProcessRestarted = "process.restarted", Warning, "a process died and was started again",
        [Attempt, Count, Exit, Pid, Process, Zone];
    NodeStarted = "node.started", Notice, "the node started",
        [Checkpoint, Epoch, Node, Policy, Previous, Size, Version];
    NodeStopped = "node.stopped", Notice, "the node was stopped in order",
        [Node, Size, Version];
    AlarmRaised = "alarm.raised", Alarm, "something must be looked at",
        [Alarm, Count, Error, Name, Process, Rows, Stage, Zone];
    TimeAnomaly = "time.anomaly", Alarm, "the clock went back or jumped",
        [Previous, Skew];

    // === directory, rules, officers ===
    DirectoryChanged = "directory.changed", Notice, "an entry of the directory has a new version",
        [Approvals, Attributes, Digest, Epoch, Officer, Participant, Version, Rows];
    MouChanged = "mou.changed", Notice, "an agreement has a new version",
        [Approvals, Attributes, Digest, Epoch, Mou, Until, Version, Rows];
    PolicyActivated = "policy.activated", Notice, "other rules hold from now on",
        [Approvals, Digest, Epoch, Evidence, Flips, Policy, Previous, Proved, Version];
    RulesProposed = "rules.proposed", Notice, "an officer proposed a change of directory, agreements or rules",
        [Digest, Epoch, Evidence, Flips, Mou, Officer, Participant, Proved, Version];
    RulesDiscarded = "rules.discarded", Notice, "a proposed change was refused by an officer",
        [Digest, Epoch, Officer, Version];
    RulesRejected = "rules.rejected", Warning, "a change of the rules was refused: those in force stay",
        [Digest, Mou, Officer, Participant, Rule];
    ParticipantSuspended = "participant.suspended", Warning, "a participant gets nothing from now on",
        [Epoch, Mou, Officer, Participant, Person, Until, Count, Rows];
    PermitsClosed = "permits.closed", Warning, "permits of older rules are closed; what could no longer be stopped",
        [Count, Deliveries, Epoch, Officer, Participant, Person, Mou, Outcome];
    OfficerAuthenticated = "officer.authenticated", Info, "an officer proved who he or she is",
        [Address, Certificate, Command, Officer, Proof];
    OfficerDenied = "officer.denied", Warning, "somebody was refused as an officer, or an officer was refused an act",
        [Address, Certificate, Command, Officer, Proof, Role, Rule];

    // === the log itself, custody ===
    CheckpointSigned = "checkpoint.signed", Info, "the custodian signed the head of the log",
        [Checkpoint, Root, Size, Skew];
    CheckpointOverdue = "checkpoint.overdue", Alarm, "the head of the log could not be signed in time: nothing leaves",
        [Checkpoint, Error, Size, Until];
    AuditRead = "audit.read", Notice, "somebody read the log",
        [Command, Count, From, Officer, Query, To];
    AuditExported = "audit.exported", Notice, "part of the log was exported",
        [Command, Count, Digest, From, Officer, Root, Size, To];
    CustodyHead = "custody.head", Info, "head of the custodian's own log",
        [Count, Head, Size];
    KeyChanged = "key.changed", Notice, "a key was made, turned over or destroyed",
        [Approvals, Generation, Kek, KeyRole, Outcome];
    KeyRewrapped = "key.rewrapped", Info, "a content key was put under the newest generation of its key-encryption key",
        [Body, Generation, Kek, Rows];
    TokenLost = "token.lost", Alarm, "the token does not work, or the custodian does not answer: nothing is sealed or opened",
        [Previous];
    TokenReturned = "token.returned", Notice, "the token works again",
        [Count, Previous];
    KeyEnding = "key.ending", Warning, "something that routes need will end soon",
        [Count, Expires, KeyRole];
}

// === impl EventKind ===

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EventKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == text)
            .ok_or(UnknownName("an event"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_read_back_and_stands_once() {
        let kinds: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(kinds.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        let keys: BTreeSet<_> = Key::ALL.iter().map(|key| key.name()).collect();
        assert_eq!(keys.len(), Key::ALL.len());
        for key in Key::ALL {
            assert_eq!(key.name().parse(), Ok(*key));
        }
        assert!("message.eaten".parse::<EventKind>().is_err());
        assert!("Message.received".parse::<EventKind>().is_err());
    }

    #[test]
    fn names_are_noun_dot_past_verb_and_meanings_one_line() {
        for kind in EventKind::ALL {
            let (noun, verb) = kind.name().split_once('.').expect("a dot");
            for word in [noun, verb] {
                assert!(
                    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()),
                    "{kind}"
                );
            }
            assert!((10..=100).contains(&kind.meaning().len()), "{kind}");
            assert!(!kind.meaning().contains(['\n', '"', '\\']), "{kind}");
        }
    }

    #[test]
    fn every_word_is_used_by_some_event() {
        for key in Key::ALL {
            assert!(
                EventKind::ALL.iter().any(|kind| key.describes(*kind)),
                "no event uses `{key}`"
            );
        }
    }
}
