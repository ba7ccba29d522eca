//! `chancery label`: markings and structured labels. Needs no node.

mod spif;

use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use chancery_label::binding::{SoftSigner, trusted_key};
use chancery_label::desk::{self, Issue, Syntax};
use chancery_label::marking::ReadOptions;
use chancery_machine::SystemClock;
use chancery_message::Clock as _;
use clap::Subcommand;
use serde_json::Value;
use time::OffsetDateTime;

use crate::failure::{Failure, failed};
use crate::{files, out};

/// Largest file that is bound, or that holds a label.
const MOST: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The country whose marking a national word is: ISO 3166 alpha-3 (or two
    /// letters; `EL` for Greece).
    #[arg(long, value_name = "CODE", global = true)]
    country: Option<String>,
    /// Reads the marking as of this day, for example 2026-01-31; today without it.
    #[arg(long, value_name = "DAY", global = true)]
    on: Option<String>,
    /// A folder with label schemes of your own, beside the built-in ones.
    #[arg(long, value_name = "DIR", global = true)]
    schemes: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads a marking: `chancery label parse "RESTREINT UE/EU RESTRICTED"`.
    Parse {
        /// The marking.
        #[arg(required_unless_present_any = ["lines", "file"])]
        text: Option<String>,
        /// One marking a line on standard input, one JSON answer a line out.
        #[arg(long, conflicts_with_all = ["text", "file"])]
        lines: bool,
        /// Reads the label of a file: STANAG 4774, a 4778 binding, a mail with
        /// SIO-Label, XEP-0258, ESS, our JSON, STIX markings, MISP tags, an IEP
        /// policy, or a marking.
        #[arg(long, value_name = "FILE", conflicts_with = "text")]
        file: Option<PathBuf>,
    },
    /// Writes a label in another syntax.
    Format {
        /// The marking, or a label as JSON.
        text: String,
        /// text, json, 4774, sio-label, ess, xep0258, stix or misp.
        #[arg(long = "to", value_name = "SYNTAX", default_value = "text")]
        to: String,
    },
    /// The equivalent in another scheme: EU, NATO, EUROPOL or a country.
    Translate {
        /// The marking.
        text: String,
        /// The scheme that it is of, where its words do not say.
        #[arg(long, value_name = "SCHEME")]
        from: Option<String>,
        /// The scheme wanted.
        #[arg(long, value_name = "SCHEME", default_value = "EU")]
        to: String,
    },
    /// Says which of two labels protects more, and what covers both.
    Compare {
        /// A marking, or a label as JSON.
        a: String,
        /// Another.
        b: String,
    },
    /// Binds a label to a file (STANAG 4778), signed with a P-256 key of your own.
    Bind {
        /// The marking, or a label as JSON.
        text: String,
        /// What it is bound to.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// The private key: PKCS#8 in PEM, not encrypted.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The key's name in the binding.
        #[arg(long, value_name = "NAME", default_value = "key")]
        key_name: String,
        /// The content's media type.
        #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
        content_type: String,
        /// Puts the content into the binding.
        #[arg(long)]
        embed: bool,
    },
    /// Says whether a binding holds; status 1 if it does not.
    Verify {
        /// The binding.
        binding: PathBuf,
        /// The content that it is bound to, where that is not inside.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The public key to trust, PEM. Without it only changes are found.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Security policy files (XML SPIF 2.1), read as label schemes and written.
    #[command(subcommand)]
    Spif(spif::Command),
}

pub(crate) fn command(args: &Args, json: bool) -> Result<(), Failure> {
    if let Some(folder) = &args.schemes {
        chancery_label::schemes::install_own(folder).map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new(all.join("\n"))
        })?;
    }
    let now = now()?;
    let options = ReadOptions {
        country: args
            .country
            .as_deref()
            .map(|text| {
                desk::country(text).map_err(|error| Failure::usage(format!("--country: {error}")))
            })
            .transpose()?,
        on: match &args.on {
            None => now.date(),
            Some(text) => desk::day(text)
                .ok_or_else(|| Failure::usage("--on: a day is written 2026-01-31"))?,
        },
    };
    match &args.command {
        Command::Parse { lines: true, .. } => lines(&options),
        Command::Parse {
            file: Some(file), ..
        } => {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            answer(
                &desk::parse_file(&name, &files::read(file, MOST)?, &options),
                json,
            )
        }
        Command::Parse { text, .. } => answer(
            &desk::parse_line(text.as_deref().unwrap_or_default(), &options),
            json,
        ),
        Command::Format { text, to } => {
            let syntax = Syntax::of(to).ok_or_else(|| {
                Failure::usage("--to: text, json, 4774, sio-label, ess, xep0258, stix or misp")
            })?;
            let written = desk::format(text, syntax, &issue(now), &options)
                .map_err(|e| Failure::new(e.to_string()))?;
            if json {
                return out::json(&serde_json::json!({ "syntax": syntax.name(), "text": written }));
            }
            out::line(written)
        }
        Command::Translate { text, from, to } => answer(
            &desk::translate(text, from.as_deref(), to, options.on),
            json,
        ),
        Command::Compare { a, b } => {
            let found = desk::compare(a, b, &options);
            fault(&found)?;
            if json {
                return out::json(&found);
            }
            let word = |key: &str| {
                found
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or("none")
                    .to_owned()
            };
            out::line(format_args!(
                "{} is {} {}",
                word("a"),
                relation(&word("relation")),
                word("b")
            ))?;
            out::line(format_args!("both are covered by: {}", word("join")))
        }
        Command::Bind {
            text,
            file,
            key,
            key_name,
            content_type,
            embed,
        } => {
            let signer = SoftSigner::from_pem(key_name, &files::text(key, 1 << 16)?)
                .map_err(|e| Failure::new(e.to_string()))?;
            let content = files::read(file, MOST)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let binder = desk::Binder {
                name: &name,
                content_type,
                content: &content,
                embedded: *embed,
                signer: &signer,
            };
            let bound = desk::bind(text, &binder, &issue(now), &options)
                .map_err(|e| Failure::new(e.to_string()))?;
            out::line(bound)
        }
        Command::Verify { binding, file, key } => {
            verify(binding, file.as_deref(), key.as_deref(), json)
        }
        Command::Spif(command) => spif::command(command, now, json),
    }
}

fn verify(
    binding: &Path,
    file: Option<&Path>,
    key: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let content = file.map(|file| files::read(file, MOST)).transpose()?;
    let key = key
        .map(|key| {
            trusted_key(&files::text(key, 1 << 16)?).map_err(|e| Failure::new(e.to_string()))
        })
        .transpose()?;
    let found = desk::verify(
        &files::text(binding, MOST)?,
        content.as_deref(),
        key.as_ref().map(<[u8; 65]>::as_slice),
    );
    if json {
        out::json(&found)?;
    }
    fault(&found)?;
    if !json {
        let word = |key: &str| {
            found
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        out::line(format_args!("holds: {}", word("canonical")))?;
        if !word("note").is_empty() {
            out::line(word("note"))?;
        }
    }
    Ok(())
}

fn lines(options: &ReadOptions) -> Result<(), Failure> {
    let mut input = BufReader::with_capacity(1 << 18, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .read_until(b'\n', &mut line)
            .map_err(failed("standard input cannot be read"))?
            == 0
        {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        // What is not UTF-8 is answered as text that no scheme has.
        let answer = desk::parse_line(&String::from_utf8_lossy(text), options);
        serde_json::to_writer(&mut output, &answer)
            .map_err(io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
            .map_err(|error| out::write_failed(&error))?;
        if input.buffer().is_empty() {
            output.flush().map_err(|error| out::write_failed(&error))?;
        }
    }
    output.flush().map_err(|error| out::write_failed(&error))
}

/// Shows an answer about one label; status 1 where it could not be read.
fn answer(found: &Value, json: bool) -> Result<(), Failure> {
    if json {
        out::json(found)?;
    }
    fault(found)?;
    if json {
        return Ok(());
    }
    let word = |key: &str| found.get(key).and_then(Value::as_str).map(str::to_owned);
    out::line(word("canonical").unwrap_or_default())?;
    for (name, key) in [
        ("scheme", "scheme_name"),
        ("level", "level"),
        ("EU level", "eu_level"),
    ] {
        if let Some(text) = word(key) {
            out::line(format_args!("  {name:<9} {text}"))?;
        }
    }
    for note in found
        .get("notes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        out::line(format_args!(
            "  note      {}",
            note.as_str().unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// The answer's error, if it has one.
fn fault(found: &Value) -> Result<(), Failure> {
    let Some(error) = found.get("error").filter(|error| !error.is_null()) else {
        return Ok(());
    };
    let word = |key: &str| {
        error
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Err(Failure::new(format!(
        "{} ({}; {})",
        word("what"),
        word("where"),
        word("rule")
    )))
}

fn relation(word: &str) -> &str {
    match word {
        "above" => "above (protects more than)",
        "below" => "below (protects less than)",
        "equal" => "equal to",
        _ => "not comparable with",
    }
}

const fn issue(now: OffsetDateTime) -> Issue {
    Issue {
        created: now,
        review: None,
        originator: None,
    }
}

fn now() -> Result<OffsetDateTime, Failure> {
    let micros = SystemClock.now().as_micros();
    OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000)).map_err(failed("the clock"))
}
