//! `shim.faults`: one fault a line, `FUNCTION ACTION [ARGUMENT] [times N] [every N]`.
//! FUNCTION is a name like `C_Sign`, or `*` for all that work with the token.
//! The first line that fits a call is the one that counts:
//!
//! * `delay MS`: the call takes so much longer;
//! * `error CODE`: it answers that, and the real module is not asked;
//! * `hang`: it never returns;
//! * `abort`: the process ends at once, as in a crash of the module;
//! * `corrupt`: it answers, but one bit is wrong (random bytes stand still);
//! * `lose-sessions`: all sessions are gone before it;
//! * `lose-login`: everybody is logged out before it;
//! * `absent`: the token is not there: no slot has one, sessions are dead.
//!
//! `times N` lets it happen for the first N calls that fit, `every N` for each
//! N-th; both are counted anew when the file changes. No file, no faults. The
//! file is to be replaced by renaming.

use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cryptoki_sys::{CK_RV, CK_SLOT_ID, CK_TRUE, CKR_DEVICE_REMOVED, CKR_OK, CKR_TOKEN_NOT_PRESENT};

use crate::Real;
use crate::settings::number;

/// What a call shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// As the real module does.
    None,
    /// Answer that.
    Answer(CK_RV),
    /// Answer wrongly.
    Corrupt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Delay(u64),
    Error(CK_RV),
    Hang,
    Abort,
    Corrupt,
    LoseSessions,
    LoseLogin,
    Absent,
}

#[derive(Debug)]
struct Rule {
    function: String,
    action: Action,
    times: Option<u64>,
    every: Option<u64>,
    seen: u64,
}

#[derive(Debug, Default)]
struct Book {
    version: Option<(u64, i64, i64, u64)>,
    rules: Vec<Rule>,
    was_absent: bool,
}

static BOOK: Mutex<Book> = Mutex::new(Book {
    version: None,
    rules: Vec::new(),
    was_absent: false,
});

/// Before `function` is passed on.
pub(crate) fn before(real: &Real, function: &str) -> Fault {
    let Some(action) = action_for(real, function) else {
        return Fault::None;
    };
    match action {
        Action::Delay(ms) => std::thread::sleep(Duration::from_millis(ms)),
        Action::Error(code) => return Fault::Answer(code),
        Action::Hang => loop {
            std::thread::park();
        },
        Action::Abort => std::process::abort(),
        Action::Corrupt => return Fault::Corrupt,
        Action::LoseSessions => lose_sessions(real),
        Action::LoseLogin => lose_login(real),
        Action::Absent => {
            return match function {
                "C_OpenSession" | "C_GetTokenInfo" | "C_GetMechanismList" | "C_InitToken" => {
                    Fault::Answer(CKR_TOKEN_NOT_PRESENT)
                }
                _ => Fault::Answer(CKR_DEVICE_REMOVED),
            };
        }
    }
    Fault::None
}

/// True while the token is not there.
pub(crate) fn is_absent(real: &Real) -> bool {
    let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    book.refresh(real);
    book.rules.iter().any(|rule| rule.action == Action::Absent)
}

fn action_for(real: &Real, function: &str) -> Option<Action> {
    let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    book.refresh(real);
    let rule = book
        .rules
        .iter_mut()
        .find(|rule| rule.function == "*" || rule.function == function)?;
    rule.seen += 1;
    let hit = rule.times.is_none_or(|times| rule.seen <= times)
        && rule.every.is_none_or(|every| rule.seen % every == 0);
    let action = hit.then_some(rule.action);
    // A token that is pulled out takes its sessions with it.
    let absent = action == Some(Action::Absent);
    let pulled = absent && !book.was_absent;
    book.was_absent = absent;
    drop(book);
    if pulled {
        lose_sessions(real);
    }
    action
}

impl Book {
    fn refresh(&mut self, real: &Real) {
        let path = &real.settings.faults;
        let version = std::fs::metadata(path)
            .ok()
            .map(|about| (about.ino(), about.mtime(), about.mtime_nsec(), about.len()));
        if version == self.version {
            return;
        }
        self.version = version;
        self.rules = std::fs::read_to_string(path)
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                rule(line).unwrap_or_else(|| {
                    // A test that asks for what there is not shall not pass.
                    eprintln!("chancery-shim: `{line}` is no fault");
                    std::process::abort()
                })
            })
            .collect();
        if self.rules.iter().all(|rule| rule.action != Action::Absent) {
            self.was_absent = false;
        }
    }
}

fn rule(line: &str) -> Option<Rule> {
    let mut words = line.split_whitespace();
    let function = words.next()?.to_owned();
    let action = match words.next()? {
        "delay" => Action::Delay(words.next()?.parse().ok()?),
        "error" => Action::Error(number(words.next()?)?),
        "hang" => Action::Hang,
        "abort" => Action::Abort,
        "corrupt" => Action::Corrupt,
        "lose-sessions" => Action::LoseSessions,
        "lose-login" => Action::LoseLogin,
        "absent" => Action::Absent,
        _ => return None,
    };
    let (mut times, mut every) = (None, None);
    while let Some(word) = words.next() {
        let count = words.next()?.parse().ok()?;
        match word {
            "times" => times = Some(count),
            "every" => every = Some(count),
            _ => return None,
        }
    }
    Some(Rule {
        function,
        action,
        times,
        every,
        seen: 0,
    })
}

fn lose_sessions(real: &Real) {
    for slot in slots(real) {
        if let Some(close) = real.table.C_CloseAllSessions {
            // SAFETY: a plain call with a slot that the module named.
            unsafe { close(slot) };
        }
    }
}

fn lose_login(real: &Real) {
    let (Some(open), Some(logout), Some(close)) = (
        real.table.C_OpenSession,
        real.table.C_Logout,
        real.table.C_CloseSession,
    ) else {
        return;
    };
    for slot in slots(real) {
        let mut session = 0;
        // SAFETY: `session` is ours; anybody's logout logs out everybody.
        unsafe {
            let flags = cryptoki_sys::CKF_SERIAL_SESSION;
            if open(slot, flags, std::ptr::null_mut(), None, &raw mut session) == CKR_OK {
                logout(session);
                close(session);
            }
        }
    }
}

fn slots(real: &Real) -> Vec<CK_SLOT_ID> {
    let Some(list) = real.table.C_GetSlotList else {
        return Vec::new();
    };
    let mut found = vec![0; 64];
    let mut count = 64;
    // SAFETY: `found` has room for `count` numbers.
    let answer = unsafe { list(CK_TRUE, found.as_mut_ptr(), &raw mut count) };
    found.truncate(if answer == CKR_OK {
        usize::try_from(count).unwrap_or(0)
    } else {
        0
    });
    found
}
