//! Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

/// A page that grows.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

// === impl Text ===

impl Text {
    /// Begins a number that only grows.
    pub(crate) fn counter(&mut self, name: &str, help: &str) {
        self.head(name, help, "counter");
    }

    /// Begins a number that goes up and down.
    pub(crate) fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, help, "gauge");
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One value of it. Labels are the node's own words.
    pub(crate) fn value(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.put(format_args!("{name}"));
        for (at, (label, word)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let word = word
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            self.put(format_args!("{before}{label}=\"{word}\""));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        self.put(format_args!("{after} {value}\n"));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _put = self.0.write_fmt(text);
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_labels_escaped() {
        let mut text = Text::default();
        text.gauge("x", "What it is.");
        text.value("x", &[], 1);
        text.value("x", &[("a", "b"), ("c", "d\"e\\\n")], 2);
        assert_eq!(
            text.finish(),
            "# HELP x What it is.\n# TYPE x gauge\nx 1\nx{a=\"b\",c=\"d\\\"e\\\\\\n\"} 2\n"
        );
    }
}
