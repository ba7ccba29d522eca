//! The release decision: facts, gates, permits, the directory, agreements, review.
#![forbid(unsafe_code)]
