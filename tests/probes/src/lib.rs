//! What a hole in a door or a reader would try, from inside the real ones.
//!
//! The programs `chancery-probe-door` and `chancery-probe-reader` are the
//! shipped ones with one thing more: when they begin to serve they try, and
//! tell on standard error. The reader also dies, or goes on for ever, when the
//! bytes that it is to read tell it to. The shipped programs are made without
//! this library; `tests/flow` looks.
#![forbid(unsafe_code)]

pub mod ask;
pub mod told;
pub mod tries;

use chancery_settings::Settings;

/// In every probe, and in no shipped program.
pub const MARK: &str = "chancery-probe-2f6b1c";
/// Bytes that make the probing reader abort.
pub const ABORT: &[u8] = b"PROBE-ABORT-7c1e";
/// Bytes that make it go on for ever.
pub const LOOP: &[u8] = b"PROBE-LOOP-7c1e";

/// Tries everything that concerns the machine, and tells.
pub fn machine(process: &str, settings: &Settings) {
    for (what, outcome) in tries::all(settings) {
        told::tell(process, what, &outcome.map_err(|error| error.to_string()));
    }
}

/// Does what the bytes say, if they say something.
pub fn obey(raw: &[u8]) {
    let has = |mark: &[u8]| raw.windows(mark.len()).any(|part| part == mark);
    if has(ABORT) {
        std::process::abort();
    }
    if has(LOOP) {
        loop {
            std::hint::spin_loop();
        }
    }
}
