//! Whole-gateway tests: the real daemons, one file per user story.
#![forbid(unsafe_code)]
