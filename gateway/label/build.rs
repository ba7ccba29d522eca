//! Lists the schemes of `config/schemes`, so that adding one touches no Rust.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../config/schemes");
    let folder = folder.canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?
            .file_name()
            .into_string()
            .map_err(|_| "a file name that is not UTF-8")?;
        if let Some(stem) = name.strip_suffix(".toml")
            && !stem.ends_with(".cases")
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    let mut list = String::from("&[");
    for name in names {
        let (scheme, cases) = (
            folder.join(format!("{name}.toml")),
            folder.join(format!("{name}.cases.toml")),
        );
        if !cases.exists() {
            return Err(format!("config/schemes/{name}.toml has no {name}.cases.toml: see docs/adding-a-label-scheme.md").into());
        }
        write!(
            list,
            "Shipped {{ name: {name:?}, scheme: include_str!({scheme:?}), cases: include_str!({cases:?}) }},"
        )?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("shipped.rs"), list)?;
    Ok(())
}
