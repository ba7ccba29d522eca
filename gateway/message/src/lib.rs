//! What flows through the gateway: ids, participants, evidence, submissions, receipts.
#![forbid(unsafe_code)]
