//! Content: reading and rendering. Pure.
