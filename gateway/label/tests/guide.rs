//! `docs/adding-a-label-scheme.md`, followed by the letter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use chancery_label::schemes::{self, Schemes};
use chancery_label::{Fault, Level, ReadOptions, marking};
use time::macros::date;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Files that the guide tells to write: name and text.
fn files() -> Vec<(String, String)> {
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/adding-a-label-scheme.md")).unwrap();
    guide
        .split("<!-- file: ")
        .skip(1)
        .map(|part| {
            let (name, rest) = part.split_once(" -->\n```toml\n").unwrap();
            let (text, _) = rest.split_once("\n```\n").unwrap();
            (name.to_owned(), text.to_owned())
        })
        .collect()
}

fn folder_with(files: &[(String, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(format!("{ROOT}/config/schemes")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    for (name, text) in files {
        let name = name
            .strip_prefix("config/schemes/")
            .expect("the guide writes into config/schemes");
        assert!(
            !folder.path().join(name).exists(),
            "{name} is there already"
        );
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn problems(folder: &Path) -> Vec<String> {
    schemes::check_dir(folder)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_guide_adds_a_scheme() {
    let files = files();
    assert_eq!(files.len(), 2);
    let folder = folder_with(&files);
    assert_eq!(problems(folder.path()), [""; 0]);
    let schemes: Schemes = schemes::load_dir(folder.path()).unwrap();
    let on = date!(2026 - 01 - 01);
    let read = |text: &str, country: Option<&str>| {
        let country = country.map(|code| code.parse().unwrap());
        marking::read_with(&schemes, text, &ReadOptions { country, on })
    };
    let found = read("hemmelig", Some("NOR")).unwrap();
    assert_eq!(
        (found.label.level, found.scheme.as_str()),
        (Level::Secret, "NOR")
    );
    assert_eq!(read("hemmeligt", Some("DNK")).unwrap().scheme, "DNK");
    assert_eq!(
        read("hemmelig", Some("DNK")).unwrap_err().fault,
        Fault::Unknown
    );
    let there =
        chancery_label::translate::translate(&schemes, &read("S-UE", None).unwrap(), "NOR", on)
            .unwrap();
    assert_eq!(there.marking, "HEMMELIG");
}

/// On a node the two files lie alone in their folder, beside the built-in ones.
#[test]
fn a_folder_of_its_own_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    assert!(schemes::own(folder.path()).unwrap().is_none());
    for (name, text) in files() {
        let name = name.strip_prefix("config/schemes/").unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let all = schemes::own(folder.path()).unwrap().unwrap();
    assert!(all.get("NOR").is_some() && all.get("EU").is_some());
    assert_eq!(all.all().len(), schemes::SHIPPED.len() + 1);
    // A file of a built-in one's name takes its place.
    let text = std::fs::read_to_string(format!("{ROOT}/config/schemes/tlp.toml")).unwrap();
    let changed = text.replacen("name = \"", "name = \"Our ", 1);
    std::fs::write(folder.path().join("tlp.toml"), changed).unwrap();
    let all = schemes::own(folder.path()).unwrap().unwrap();
    assert_eq!(all.all().len(), schemes::SHIPPED.len() + 1);
    assert!(all.get("TLP").unwrap().name.starts_with("Our "));
    // Cases without a scheme are told.
    std::fs::remove_file(folder.path().join("norway.toml")).unwrap();
    let problems = schemes::own(folder.path()).unwrap_err();
    assert!(
        problems[0].to_string().contains("norway.toml"),
        "{problems:?}"
    );
}

/// What the guide says is checked is checked.
#[test]
fn faults_are_named() {
    let good = files();
    for (from, to, said) in [
        ("scheme = \"NOR\"", "scheme = \"Norway\"", "alpha-3"),
        ("scheme = \"NOR\"", "scheme = \"DEU\"", "is also in"),
        ("code = \"S\"", "code = \"TS\"", "there twice"),
        ("lacv = 4", "lacv = 5", "same lacv"),
        ("hierarchy = 4", "hierarchy = 6", "its EU level is above"),
        ("eu = \"S-UE\"", "eu = \"S\"", "unknown variant"),
        (
            "{ nb = \"HEMMELIG\" }",
            "{ no = \"HEMMELIG\" }",
            "not in `languages`",
        ),
        (
            "{ nb = \"HEMMELIG\" }",
            "{ nb = \"BEGRENSET\" }",
            "two grades of one State",
        ),
        (
            "{ nb = \"HEMMELIG\" }",
            "{ nb = \"[HEMMELIG]\" }",
            "square brackets",
        ),
        (
            "{ nb = \"HEMMELIG\" }",
            "{ nb = \"EU SECRET\" }",
            "scheme without country",
        ),
        ("{ nb = \"HEMMELIG\" }", "{ nb = \"HUSH\" }", "case"),
        (
            "eu = \"S-UE\"",
            "eu = \"S-UE\"\nfrom = 2024-01-01\nuntil = 2023-01-01",
            "after `from`",
        ),
        (
            "eu = \"S-UE\"",
            "eu = \"S-UE\"\nfrom = 2024-13-01",
            "norway.toml",
        ),
        (
            "eu = \"S-UE\"",
            "eu = \"S-UE\"\nfrom = \"2024-01-01\"",
            "norway.toml",
        ),
        (
            "eu = \"S-UE\"",
            "eu = \"S-UE\"\ncolor = \"red\"",
            "unknown field",
        ),
        (
            "2.25.325014213590764017204846104527104012578",
            "NOR",
            "object identifier",
        ),
        (
            "2.25.325014213590764017204846104527104012578",
            "1.3.26.1.3.1",
            "is also in",
        ),
    ] {
        let mut files = good.clone();
        assert!(files[0].1.contains(from), "{from}");
        files[0].1 = files[0].1.replacen(from, to, 1);
        let folder = folder_with(&files);
        let all = problems(folder.path()).join("\n");
        assert!(all.contains(said), "{to}: {all}");
    }
    let mut files = good;
    files.pop();
    assert!(
        problems(folder_with(&files).path())
            .join("\n")
            .contains("has no cases")
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(
        problems(empty.path())
            .join("\n")
            .contains("no scheme is here")
    );
    assert!(!problems(&empty.path().join("absent")).is_empty());
}
