//! The audit log: event catalogue, canonical records, Merkle tree, checkpoints, offline verification.
#![forbid(unsafe_code)]
