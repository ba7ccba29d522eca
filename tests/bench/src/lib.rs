//! Benchmarks with their peers.
#![forbid(unsafe_code)]
