//! Checks on the house itself: ranks, owners, rooms, shipped files.
#![forbid(unsafe_code)]
