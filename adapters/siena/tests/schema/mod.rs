//! The published schema, checked by an independent reader.

use std::io::Write;
use std::process::{Command, Stdio};

/// Fails unless `xmllint` finds the document valid.
pub(crate) fn valid(document: &str) {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/siena-style-1.xsd");
    let mut xmllint = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema", schema, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint is needed for this test: install the package libxml2-utils");
    xmllint
        .stdin
        .take()
        .unwrap()
        .write_all(document.as_bytes())
        .unwrap();
    let output = xmllint.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{document:.3000}",
        String::from_utf8_lossy(&output.stderr)
    );
}
