//! `chancery label spif`: XML SPIF 2.1 policy files to schemes, and back.

use std::path::{Path, PathBuf};

use chancery_label::codec::spif::{self, Header};
use chancery_label::schemes::{
    Kind, Scheme, Schemes, check_schemes, parse_scheme, shipped, write_scheme,
};
use chancery_label::{Country, LabelError};
use clap::Subcommand;
use serde_json::json;
use time::OffsetDateTime;

use crate::failure::Failure;
use crate::{files, out};

/// Largest policy file: the reader's own limit.
const MOST_SPIF: u64 = 4 << 20;
/// Largest scheme file: the reader's own limit.
const MOST_SCHEME: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Reads an XML SPIF 2.1 as a label scheme.
    ///
    /// What the SPIF says and a scheme cannot hold is refused, never dropped; a
    /// category that the gateway does not carry becomes `[[refused]]`, so that
    /// a label with it is held. Every classification needs its equivalent in the EU
    /// policy, or an EU marking as its name. A SPIF has no days and no other
    /// spellings: add them, and write the cases (docs/adding-a-label-scheme.md).
    Import {
        /// The policy file; `-` for standard input.
        file: PathBuf,
        /// The scheme's id: a State's alpha-3 code, EU, or an organisation's
        /// short name. Without it that of the scheme with the same policy
        /// number, or else the policy's name.
        #[arg(long = "as", value_name = "ID")]
        id: Option<String>,
        /// Writes here instead of standard output; a file that exists is kept.
        #[arg(long, value_name = "SCHEME.toml")]
        out: Option<PathBuf>,
    },
    /// Writes a label scheme as an XML SPIF 2.1.
    ///
    /// A SPIF says less than a scheme: days, other spellings, markings that
    /// are no classification, and categories without a number stay out; an
    /// ended grade is written as obsolete unless its number is in use again.
    Export {
        /// A scheme in force (EU, NATO, DEU, …), or a scheme's file (`….toml`).
        scheme: String,
        /// Writes here instead of standard output; a file that exists is kept.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Version of the policy.
        #[arg(long, value_name = "N", default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..))]
        policy_version: u32,
        /// Distinguished name of the policy's authority; CN=<policy> without it.
        #[arg(long, value_name = "DN")]
        authority: Option<String>,
        /// Identifier of the authority's key in hexadecimal digits; 00 for none.
        #[arg(long, value_name = "HEX", default_value = "00")]
        key_identifier: String,
    },
}

pub(super) fn command(
    command: &Command,
    now: OffsetDateTime,
    as_json: bool,
) -> Result<(), Failure> {
    let schemes = shipped().map_err(|e| Failure::new(e.to_string()))?;
    match command {
        Command::Import { file, id, out } => {
            import(schemes, file, id.as_deref(), out.as_deref(), as_json)
        }
        Command::Export {
            scheme,
            out,
            policy_version,
            authority,
            key_identifier,
        } => {
            if key_identifier.len() % 2 != 0 || hex::decode(key_identifier).is_err() {
                return Err(Failure::usage(
                    "--key-identifier: pairs of hexadecimal digits, such as 00 or 5F1A",
                ));
            }
            let own = own_file(scheme)?;
            let scheme = match &own {
                Some(scheme) => scheme,
                None => schemes
                    .get(scheme)
                    .ok_or_else(|| unknown(schemes, scheme))?,
            };
            let named = || scheme.policy.as_ref().map(|it| format!("CN={}", it.name));
            let header = Header {
                version: *policy_version,
                created: now,
                originator_dn: authority.clone().or_else(named).unwrap_or_default(),
                key_identifier: key_identifier.clone(),
            };
            let text = spif::export(schemes, scheme, &header)
                .map_err(|e| Failure::new(format!("{}: {e}", scheme.id)))?;
            export(scheme, &text, out.as_deref(), as_json)
        }
    }
}

fn import(
    schemes: &Schemes,
    file: &Path,
    id: Option<&str>,
    to: Option<&Path>,
    as_json: bool,
) -> Result<(), Failure> {
    if let Some(to) = to {
        is_scheme_file(to)?;
    }
    let place = file.display();
    let text = files::text(file, MOST_SPIF)?;
    let refused = |e: LabelError| Failure::new(format!("{place}: {e}"));
    // Its policy number tells which scheme it is; the kind decides the codes.
    let (id, kind) = match id {
        Some(id) => named(schemes, id)?,
        None => {
            let first = spif::import(schemes, &text, "", Kind::Organisation).map_err(refused)?;
            let known = first
                .policy
                .as_ref()
                .and_then(|policy| schemes.by_oid(&policy.oid));
            match known {
                Some(known) => (known.id.clone(), known.kind),
                None => named(schemes, &first.name)?,
            }
        }
    };
    let scheme = spif::import(schemes, &text, &id, kind).map_err(refused)?;
    let wrong = check_schemes(&[(place.to_string(), scheme.clone())]);
    if !wrong.is_empty() {
        let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        return Err(Failure::new(all.join("\n")));
    }
    let toml = format!(
        "# {}: from an XML SPIF 2.1. Add days and other spellings, say where the facts\n\
         # come from, and write the cases: docs/adding-a-label-scheme.md.\n{}",
        scheme.name,
        write_scheme(&scheme).map_err(refused)?
    );
    if let Some(to) = to {
        files::create(to, 0o644, toml.as_bytes())?;
    }
    if as_json {
        return out::json(&json!({
            "scheme": scheme,
            "file": to,
        }));
    }
    let Some(to) = to else {
        return out::line(toml.trim_end());
    };
    out::line(format_args!(
        "{}: {} grades and {} categories in {}",
        scheme.id,
        scheme.grades.len(),
        scheme.categories.len(),
        to.display()
    ))?;
    // A SPIF does not say since when: such a grade is not read until it has a day.
    for grade in scheme.grades.iter().filter(|grade| grade.shared) {
        out::line(format_args!(
            "  obsolete: {}, give its last day (`until`)",
            grade.code
        ))?;
    }
    for word in &scheme.refused {
        out::line(format_args!("  not carried: {}", out::safe(&word.text)))?;
    }
    out::line(format_args!(
        "  next: write its cases in {}, then `chancery check`",
        to.with_extension("cases.toml").display()
    ))
}

/// A scheme's id and kind by its name.
fn named(schemes: &Schemes, id: &str) -> Result<(String, Kind), Failure> {
    if let Some(known) = schemes.get(id) {
        return Ok((known.id.clone(), known.kind));
    }
    let is_short = !id.is_empty()
        && id.len() <= 32
        && id
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    if !is_short {
        return Err(Failure::usage(
            "--as: give the scheme's id: a State's alpha-3 code, EU, or up to 32 of A-Z, 0-9 and -",
        ));
    }
    let kind = if id.parse::<Country>().is_ok() {
        Kind::National
    } else {
        Kind::Organisation
    };
    Ok((id.to_owned(), kind))
}

fn is_scheme_file(to: &Path) -> Result<(), Failure> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".toml") && !name.ends_with(".cases.toml") {
        return Ok(());
    }
    Err(Failure::usage(
        "--out: a scheme's file ends in .toml, and not in .cases.toml",
    ))
}

/// The scheme of a file, if a file is named.
fn own_file(name: &str) -> Result<Option<Scheme>, Failure> {
    let path = Path::new(name);
    if path.extension().is_none_or(|it| it != "toml") {
        return Ok(None);
    }
    let scheme = parse_scheme(name, &files::text(path, MOST_SCHEME)?)
        .map_err(|e| Failure::new(e.to_string()))?;
    let wrong = check_schemes(&[(name.to_owned(), scheme.clone())]);
    if wrong.is_empty() {
        return Ok(Some(scheme));
    }
    let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    Err(Failure::new(all.join("\n")))
}

fn unknown(schemes: &Schemes, id: &str) -> Failure {
    let known: Vec<&str> = schemes.all().iter().map(|it| it.id.as_str()).collect();
    Failure::new(format!(
        "no scheme `{}` is in force: give one of {}, a file that ends in .toml, or --schemes",
        out::safe(id),
        known.join(", ")
    ))
}

fn export(scheme: &Scheme, text: &str, to: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    if let Some(to) = to {
        files::create(to, 0o644, text.as_bytes())?;
    }
    match (as_json, to) {
        (true, _) => out::json(&json!({
            "scheme": scheme.id,
            "file": to,
            "spif": to.is_none().then_some(text),
        })),
        (false, Some(to)) => out::line(format_args!("{}: policy in {}", scheme.id, to.display())),
        (false, None) => out::line(text.trim_end()),
    }
}
