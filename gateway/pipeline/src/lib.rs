//! The way of one message: ports, stages, per-recipient queue.
#![forbid(unsafe_code)]
