//! File names: what remains is a name, never a path or a command.

use super::charset::is_bidi_control;
use super::words::decode_words;
use crate::content::fault::{Fault, Read};

/// Longest name kept, bytes of UTF-8.
const MAX_NAME: usize = 255;

/// Names that some systems take for devices.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A name that is safe to show and to save under: the last component of a
/// path, without control characters and the characters that paths and shells
/// give a meaning, cut to 255 bytes with its extension kept. None if nothing
/// remains.
///
/// A name that turns its direction around is for an officer.
pub(crate) fn sanitise(given: &str) -> Read<Option<String>> {
    // Many programs put encoded words here; what does not decode stays as it is.
    let text = decode_words(given).unwrap_or_else(|_| given.to_owned());
    if text.chars().any(is_bidi_control) {
        return Err(Fault::suspicious(
            "a file name with characters that reverse the direction of writing",
            "Unicode UAX #9, product rule on file names",
        ));
    }
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| {
            if c.is_control() || ":*?\"<>|%$`".contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let clean = clean.trim_matches([' ', '.', '~', '-']);
    let stem = clean
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_lowercase();
    let clean = if DEVICES.contains(&stem.as_str()) {
        format!("_{clean}")
    } else {
        clean.to_owned()
    };
    Ok((!clean.is_empty()).then(|| cut(&clean)))
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

fn cut(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let extension = name
        .rfind('.')
        .and_then(|dot| name.get(dot..))
        .filter(|extension| extension.len() <= 16)
        .unwrap_or_default();
    let mut end = MAX_NAME - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_devices_and_controls_are_gone() {
        for (given, name) in [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/cron.d/x", Some("x")),
            ("..\\..\\x", Some("x")),
            ("/etc/passwd", Some("passwd")),
            ("CON", Some("_CON")),
            ("con.txt", Some("_con.txt")),
            ("a\0.txt", Some("a_.txt")),
            ("a\r\nb.txt", Some("a__b.txt")),
            ("..", None),
            ("", None),
            ("a/", None),
            (".bashrc", Some("bashrc")),
            ("-rf", Some("rf")),
            ("$(id).txt", Some("_(id).txt")),
            ("ze\u{200b}ro.txt", Some("zero.txt")),
            ("=?utf-8?Q?=CE=95.pdf?=", Some("Ε.pdf")),
            ("=?utf-8?Q?x=0A.pdf?=", Some("=_utf-8_Q_x=0A.pdf_=")),
            ("Ελλάδα Ñ.pdf", Some("Ελλάδα Ñ.pdf")),
        ] {
            assert_eq!(sanitise(given).unwrap().as_deref(), name, "{given:?}");
        }
        assert!(matches!(
            sanitise("report\u{202e}fdp.exe"),
            Err(Fault::Suspicious(_))
        ));
        let long = sanitise(&format!("{}.pdf", "é".repeat(100_000)))
            .unwrap()
            .unwrap();
        assert!(long.len() <= 255 && long.ends_with(".pdf"));
    }
}
