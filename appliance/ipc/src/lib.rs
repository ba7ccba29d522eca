//! Frames between processes: versioned, length-prefixed, with credits; links from the supervisor.
#![forbid(unsafe_code)]
