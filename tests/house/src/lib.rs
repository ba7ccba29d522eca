//! What the tests of the house share: the workspace as `cargo metadata` tells it.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A crate of the workspace.
#[derive(Debug)]
pub struct Crate {
    /// Its folder below the root, for example `gateway/label`.
    pub folder: String,
    /// Names of the packages that it uses in its product (not in its tests only).
    pub uses: Vec<String>,
}

/// All crates of the workspace by name.
///
/// # Panics
/// When `cargo metadata` cannot be run or read: then nothing can be checked.
#[must_use]
#[allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a check that cannot run must fail"
)]
pub fn crates() -> BTreeMap<String, Crate> {
    let out = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(out.status.success(), "cargo metadata failed");
    let metadata: serde_json::Value =
        serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let root = text(&metadata["workspace_root"]);
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let folder = manifest
                .strip_prefix(&root)
                .and_then(|path| path.strip_suffix("/Cargo.toml"))
                .unwrap_or_else(|| panic!("{manifest} is not below the workspace"))
                .trim_start_matches('/')
                .to_owned();
            let uses = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter()
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .map(|dependency| text(&dependency["name"]))
                .collect();
            (text(&package["name"]), Crate { folder, uses })
        })
        .collect()
}
