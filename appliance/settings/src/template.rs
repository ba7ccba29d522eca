//! The shipped file, and a file made from it.

/// The shipped `chancery.toml`: every option, commented, with its default.
pub const SHIPPED: &str = include_str!("../../../config/chancery.toml");

/// The shipped file with these options set, each `("section.option", value as
/// TOML)`. The comments stay, so that the file explains itself.
///
/// # Errors
/// The name of an option that the shipped file does not have.
pub fn fill(options: &[(&str, &str)]) -> Result<String, String> {
    let mut lines: Vec<String> = SHIPPED.lines().map(str::to_owned).collect();
    for (option, value) in options {
        let (section, name) = option.rsplit_once('.').unwrap_or(("", option));
        let place = find(&lines, section, name).ok_or_else(|| (*option).to_owned())?;
        if let Some(line) = lines.get_mut(place) {
            *line = format!("{name} = {value}");
        }
        // The section's own head may be commented too.
        if let Some(head) = lines.iter_mut().find(|line| is_head(line, section)) {
            *head = format!("[{section}]");
        }
    }
    Ok(lines.join("\n") + "\n")
}

fn find(lines: &[String], section: &str, name: &str) -> Option<usize> {
    let begin = lines.iter().position(|line| is_head(line, section))?;
    lines
        .iter()
        .enumerate()
        .skip(begin + 1)
        .take_while(|(_, line)| !uncommented(line).starts_with('['))
        .find(|(_, line)| option_of(line) == Some(name))
        .map(|(place, _)| place)
}

fn is_head(line: &str, section: &str) -> bool {
    uncommented(line)
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        == Some(section)
}

/// An option is commented out by `#` right before its name; explanations have a
/// space after theirs.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with([' ', '#']) => rest,
        _ => line,
    }
}

fn option_of(line: &str) -> Option<&str> {
    let (name, _) = uncommented(line).split_once(" = ")?;
    let letters = name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    (letters && !name.is_empty()).then_some(name)
}
