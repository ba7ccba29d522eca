//! Which attachment has which label of its own.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::failure::Failure;

/// The label of each file in order. `labels` are `NAME=TEXT`, where NAME is a
/// file as it was given or its name without the folder.
pub(super) fn labels(files: &[PathBuf], labels: &[String]) -> Result<Vec<Option<String>>, Failure> {
    let mut all: Vec<Option<String>> = vec![None; files.len()];
    for given in labels {
        // A file's name may have a `=`, a marking has none.
        let (name, text) = given
            .rsplit_once('=')
            .filter(|(name, text)| !name.is_empty() && !text.is_empty())
            .ok_or_else(|| wrong(given, "write NAME=TEXT, for example report.pdf=R-UE"))?;
        let is_it = |file: &PathBuf| {
            file.as_os_str() == OsStr::new(name) || file.file_name() == Some(OsStr::new(name))
        };
        let mut places = files
            .iter()
            .enumerate()
            .filter_map(|(at, file)| is_it(file).then_some(at));
        let place = match (places.next(), places.next()) {
            (Some(place), None) => place,
            (None, _) => return Err(wrong(given, "no --attach has that name")),
            (Some(_), Some(_)) => {
                return Err(wrong(given, "several files have that name: give its path"));
            }
        };
        match all.get_mut(place) {
            Some(label @ None) => *label = Some(text.to_owned()),
            _ => return Err(wrong(given, "that attachment has a label already")),
        }
    }
    Ok(all)
}

fn wrong(given: &str, why: &str) -> Failure {
    Failure::usage(format!("--attach-label {given}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(files: &[&str], given: &[&str]) -> Result<Vec<Option<String>>, Failure> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let given: Vec<String> = given.iter().map(|&one| one.to_owned()).collect();
        labels(&files, &given)
    }

    #[test]
    fn each_label_finds_its_file() {
        let files = ["out/report.pdf", "a=b.csv", "notes.txt"];
        let given = ["report.pdf=R-UE TLP:AMBER", "a=b.csv=C-UE"];
        assert_eq!(
            tried(&files, &given).unwrap(),
            [
                Some("R-UE TLP:AMBER".to_owned()),
                Some("C-UE".to_owned()),
                None
            ]
        );
        let twins = ["one/a.txt", "two/a.txt"];
        let made = tried(&twins, &["two/a.txt=R-UE"]).unwrap();
        assert_eq!(made, [None, Some("R-UE".to_owned())]);
    }

    #[test]
    fn what_names_no_one_file_is_refused() {
        let files = ["one/a.txt", "two/a.txt", "b.txt"];
        for given in ["b.txt", "b.txt=", "=R-UE", "c.txt=R-UE", "a.txt=R-UE"] {
            assert!(tried(&files, &[given]).is_err(), "{given}");
        }
        assert!(tried(&files, &["b.txt=R-UE", "b.txt=C-UE"]).is_err());
    }
}
