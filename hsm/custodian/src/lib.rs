//! The custody protocol: client, server, role table, roster.
#![forbid(unsafe_code)]
