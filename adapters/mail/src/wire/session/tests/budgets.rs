//! What one connection may ask for: sizes, counts, lines and chunks.

use super::*;

#[test]
fn limits_hold() {
    let run1 = smtp("EHLO c.example\r\nMAIL FROM:<a@b.example> SIZE=1001\r\n");
    assert_eq!(run1.codes(), [220, 250, 552]);

    let mut script = "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n".to_owned();
    for n in 0..4 {
        script.push_str(&format!("RCPT TO:<r{n}@gateway.example>\r\n"));
    }
    assert_eq!(smtp(&script).codes(), [220, 250, 250, 250, 250, 250, 452]);

    // SMTP-022: the size was lied about.
    let big = "x".repeat(1001);
    let run2 = smtp(&format!("{HEAD}DATA\r\n{big}\r\n.\r\nNOOP\r\n"));
    assert_eq!(run2.codes(), [220, 250, 250, 250, 354, 552, 250]);
    assert!(run2.messages.is_empty());
    let huge = "x".repeat(5000);
    let run3 = smtp(&format!("{HEAD}DATA\r\n{huge}\r\n.\r\nNOOP\r\n"));
    assert_eq!(run3.codes(), [220, 250, 250, 250, 354, 552]);
    assert!(run3.closed);

    // SMTP-019: a line without end is not kept.
    let run4 = smtp(&format!("EHLO {}", "a".repeat(65536)));
    assert_eq!(run4.codes(), [220, 500]);
    assert!(run4.closed);
    let run5 = smtp(&format!("NOOP {}\r\n", "a".repeat(506)));
    assert_eq!(run5.codes(), [220, 500]);
    assert_eq!(
        smtp(&format!("NOOP {}\r\n", "a".repeat(505))).codes(),
        [220, 250]
    );

    let errors = smtp(&"FOO\r\n".repeat(20));
    assert_eq!(
        errors.codes().iter().filter(|code| **code == 500).count(),
        10
    );
    assert!(errors.output.ends_with("421 4.7.0 too many errors\r\n"));
    assert!(errors.closed);
}

#[test]
fn command_lines_end_with_crlf() {
    for script in ["EHLO c.example\n", "EHLO c\rx\r\n", "NOOP\0\r\n", "\n"] {
        let run = smtp(script);
        assert_eq!(run.codes(), [220, 500], "{script:?}");
        assert!(run.closed);
    }
}

#[test]
fn chunks_make_a_message() {
    let run = smtp(&format!(
        "{HEAD}BDAT 7\r\nhello\r\nBDAT 5\r\n.\r\n.\rBDAT 1 LAST\r\n\nRSET\r\n"
    ));
    assert_eq!(run.codes(), [220, 250, 250, 250, 250, 250, 250, 250]);
    assert_eq!(&run.messages[0].bytes[..], b"hello\r\n.\r\n.\r\n");
    let empty_last = smtp(&format!("{HEAD}BDAT 3\r\na\r\nBDAT 0 LAST\r\n"));
    assert_eq!(&empty_last.messages[0].bytes[..], b"a\r\n");
}

#[test]
fn chunks_have_budgets() {
    // SMTP-023
    for size in ["9223372036854775808", "18446744073709551615", "1001"] {
        let run = smtp(&format!("{HEAD}BDAT {size}\r\nabc"));
        assert!(run.closed, "{size}");
        assert!(
            matches!(run.codes().last(), Some(501 | 552)),
            "{size}: {}",
            run.output
        );
    }
    // SMTP-024: an unfinished chunk is nothing.
    let cut = smtp(&format!("{HEAD}BDAT 5\r\nabc"));
    assert!(cut.messages.is_empty() && !cut.closed);
    // Two chunks that are too large together: the second is read and thrown away.
    let chunk = "x".repeat(600);
    let both = smtp(&format!(
        "{HEAD}BDAT 600\r\n{chunk}BDAT 600 LAST\r\n{chunk}NOOP\r\n"
    ));
    assert_eq!(both.codes(), [220, 250, 250, 250, 250, 552, 250]);
    assert!(both.messages.is_empty());
    // Without recipients the octets are not taken for commands.
    let skipped = smtp("EHLO c.example\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n");
    assert_eq!(skipped.codes(), [220, 250, 503, 250]);
    let fresh = smtp("BDAT 6\r\nQUIT\r\nMAIL FROM:<>\r\n");
    assert_eq!(fresh.codes(), [220, 503, 503]);
    // Not mixed with DATA.
    let mixed = smtp(&format!("{HEAD}BDAT 3\r\na\r\nDATA\r\n"));
    assert_eq!(mixed.codes(), [220, 250, 250, 250, 250, 503]);
    // A bare line end in a chunk, or a CR at its very end.
    for (script, reason) in [
        ("BDAT 3 LAST\r\na\nb", "bare-lf"),
        ("BDAT 2 LAST\r\na\r", "bare-cr"),
    ] {
        let run = smtp(&format!("{HEAD}{script}"));
        assert_eq!(run.refusals, [reason]);
        assert!(run.closed && run.messages.is_empty());
    }
}
