//! Every input that was kept is tried again, and every property has its target
//! and its inputs.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chancery_corpus::{READERS, Reader};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Names in a folder, without an ending `.rs`.
fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect()
}

#[test]
fn every_kept_input_holds() {
    for Reader { name, holds } in READERS {
        let folder = fuzz().join("corpus").join(name);
        let files = names(&folder);
        assert!(!files.is_empty(), "{name} has no input");
        for file in files {
            let bytes = fs::read(folder.join(&file)).unwrap();
            assert!(bytes.len() <= 64 * 1024, "{name}/{file} is not small");
            if std::panic::catch_unwind(|| holds(&bytes)).is_err() {
                panic!("tests/fuzz/corpus/{name}/{file} breaks the property");
            }
        }
    }
}

/// Bytes of a kept input changed in a fixed way: a short run of what the long
/// run does better. `CORPUS_ROUNDS` asks for more of each input.
#[test]
fn changed_inputs_hold() {
    let asked = std::env::var("CORPUS_ROUNDS").ok();
    let rounds: usize = asked.and_then(|text| text.parse().ok()).unwrap_or(12);
    for Reader { name, holds } in READERS {
        let folder = fuzz().join("corpus").join(name);
        for (number, file) in names(&folder).into_iter().enumerate() {
            let bytes = fs::read(folder.join(file)).unwrap();
            for round in 0..rounds {
                let input = changed(&bytes, number * 64 + round);
                if std::panic::catch_unwind(|| holds(&input)).is_err() {
                    panic!(
                        "{name} does not hold for {:?}",
                        String::from_utf8_lossy(&input)
                    );
                }
            }
        }
    }
}

/// Cuts, doubles or replaces, at places that `seed` chooses.
fn changed(bytes: &[u8], seed: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9).wrapping_add(1);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below.max(1)
    };
    let mut changed = bytes.to_vec();
    for _ in 0..=next(3) {
        let at = next(changed.len());
        match next(5) {
            0 => changed.truncate(at),
            1 if at < changed.len() => changed[at] ^= 1 << next(8),
            2 if at < changed.len() => drop(changed.remove(at)),
            3 if at < changed.len() => {
                let end = (at + 1 + next(64)).min(changed.len());
                changed.drain(at..end);
            }
            _ => {
                let end = (at + 1 + next(32)).min(changed.len());
                let piece: Vec<u8> = changed.get(at..end).unwrap_or_default().to_vec();
                let to = next(changed.len());
                changed.splice(to..to, piece);
            }
        }
    }
    changed
}

#[test]
fn every_property_has_its_target_and_every_target_its_property() {
    let known: BTreeSet<String> = READERS.iter().map(|one| one.name.to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), known);
    assert_eq!(names(&fuzz().join("corpus")), known);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &known {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
