//! The search for words that must stand nowhere: as they are, and in the forms
//! in which bytes hide: base64 at each of its three offsets, hexadecimal,
//! quoted-printable, UTF-16, and compressed with gzip, zlib or raw deflate.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Most bytes that one compressed stream is followed.
const UNPACKED: u64 = 8 << 20;

/// Forms of words to search for.
#[derive(Clone, Debug)]
pub struct Search {
    names: Vec<String>,
    forms: AhoCorasick,
}

impl Search {
    /// For these words: ASCII letters and digits, at least 16.
    pub fn new(words: &[&str]) -> Self {
        let mut forms = Vec::new();
        for word in words {
            assert!(
                word.len() >= 16 && word.bytes().all(|b| b.is_ascii_alphanumeric()),
                "a word to search for is long and plain"
            );
            forms.extend(forms_of(word));
        }
        let (names, forms): (Vec<_>, Vec<_>) = forms.into_iter().unzip();
        // Letters are compared without case; each form is long enough for that.
        let forms = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(forms)
            .unwrap();
        Self { names, forms }
    }

    /// Where a form of a word stands, below these files and folders: each as
    /// `FILE: FORM`. Files that are gone meanwhile are left out.
    pub fn below(&self, places: &[&Path]) -> Vec<String> {
        let mut found = Vec::new();
        let mut open: Vec<PathBuf> = places.iter().map(|&place| place.to_owned()).collect();
        while let Some(path) = open.pop() {
            let Ok(about) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            if about.is_dir() {
                if let Ok(entries) = std::fs::read_dir(&path) {
                    open.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
                }
            } else if about.is_file()
                && let Ok(bytes) = std::fs::read(&path)
            {
                let forms = self.within(&bytes);
                found.extend(
                    forms
                        .iter()
                        .map(|form| format!("{}: {form}", path.display())),
                );
            }
        }
        found.sort();
        found
    }

    /// The forms that stand in these bytes.
    pub fn within(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut found = self.plainly(bytes);
        for (how, unpacked) in unpacked(bytes) {
            found.extend(
                self.plainly(&unpacked)
                    .into_iter()
                    .map(|form| format!("{how}: {form}")),
            );
        }
        found
    }

    fn plainly(&self, bytes: &[u8]) -> BTreeSet<String> {
        // Line ends inside encoded text hide nothing.
        let mut joined = bytes.to_vec();
        joined.retain(|byte| !matches!(byte, b'\r' | b'\n'));
        [bytes, &joined]
            .into_iter()
            .flat_map(|bytes| self.forms.find_overlapping_iter(bytes))
            .filter_map(|found| self.names.get(found.pattern().as_usize()).cloned())
            .collect()
    }
}

fn forms_of(word: &str) -> Vec<(String, Vec<u8>)> {
    let quoted: String = word.bytes().map(|b| format!("={b:02x}")).collect();
    let wide: Vec<u8> = word.bytes().flat_map(|b| [b, 0]).collect();
    let mut forms = vec![
        (format!("{word} as it is"), word.as_bytes().to_vec()),
        (format!("{word} in hex"), hex::encode(word).into_bytes()),
        (format!("{word} quoted-printable"), quoted.into_bytes()),
        (format!("{word} in UTF-16"), wide),
    ];
    // In base64 a byte's letters depend on its place modulo three; the letters
    // at both ends depend on the neighbours too, and are left off.
    for skip in 0..3 {
        let whole = (word.len() - skip) / 3 * 3;
        let middle = &word.as_bytes()[skip..skip + whole];
        for text in [
            BASE64_STANDARD_NO_PAD.encode(middle),
            BASE64_URL_SAFE_NO_PAD.encode(middle),
        ] {
            forms.push((
                format!("{word} in base64, offset {skip}"),
                text.into_bytes(),
            ));
        }
    }
    forms
}

/// All streams in these bytes that begin like compressed ones, unpacked; and
/// the whole as raw deflate.
fn unpacked(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    let mut keep = |how, from: &mut dyn std::io::Read| {
        let mut out = Vec::new();
        // What a broken stream gave before it broke counts.
        let _ended = from.take(UNPACKED).read_to_end(&mut out);
        if out.len() > 64 {
            all.push((how, out));
        }
    };
    for (at, pair) in bytes.windows(2).enumerate() {
        match pair {
            [0x1f, 0x8b] if bytes.get(at + 2) == Some(&8) => {
                keep("gzip", &mut GzDecoder::new(&bytes[at..]));
            }
            [0x78, 0x01 | 0x5e | 0x9c | 0xda] => keep("zlib", &mut ZlibDecoder::new(&bytes[at..])),
            _ => {}
        }
    }
    keep("deflate", &mut DeflateDecoder::new(bytes));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write as _;

    const WORD: &str = "canary0123456789abcdef";

    #[test]
    fn each_form_is_found_and_nothing_where_there_is_none() {
        let search = Search::new(&[WORD]);
        let text = format!("{}{WORD}{}", "before ".repeat(20), " after".repeat(20));
        let mut hidden: Vec<(&str, Vec<u8>)> = vec![
            ("plain", text.clone().into_bytes()),
            ("upper case", text.to_ascii_uppercase().into_bytes()),
            ("hex", hex::encode(&text).into_bytes()),
            (
                "UTF-16",
                text.bytes().flat_map(|b| [b, 0]).collect::<Vec<u8>>(),
            ),
            (
                "quoted",
                text.bytes()
                    .flat_map(|b| format!("={b:02X}").into_bytes())
                    .collect(),
            ),
        ];
        for skip in 0..3 {
            let encoded = BASE64_STANDARD_NO_PAD.encode(&text.as_bytes()[skip..]);
            let folded: Vec<String> = encoded
                .as_bytes()
                .chunks(76)
                .map(|line| String::from_utf8(line.to_vec()).unwrap())
                .collect();
            hidden.push(("base64", encoded.into_bytes()));
            hidden.push(("folded base64", folded.join("\r\n").into_bytes()));
        }
        let mut gzip = GzEncoder::new(b"\x00\x01noise".to_vec(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        hidden.push(("gzip", gzip.finish().unwrap()));
        let mut zlib = ZlibEncoder::new(b"noise".to_vec(), Compression::best());
        zlib.write_all(text.as_bytes()).unwrap();
        hidden.push(("zlib", zlib.finish().unwrap()));
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(text.as_bytes()).unwrap();
        hidden.push(("deflate", deflate.finish().unwrap()));
        for (how, bytes) in hidden {
            assert!(!search.within(&bytes).is_empty(), "{how}");
        }
        let other = "before canary0123456789abcdee after".repeat(20);
        assert!(search.within(other.as_bytes()).is_empty());
    }

    #[test]
    fn folders_are_gone_through() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/a"), WORD).unwrap();
        let found = Search::new(&[WORD]).below(&[folder.path(), Path::new("/not/there")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("deep/a: canary0123456789abcdef as it is"));
    }
}
