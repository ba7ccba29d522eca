//! The octets of a message as they come: ends found, dots removed, lines
//! checked. Only CRLF ends a line and only CRLF.CRLF ends the data (RFC 5321
//! section 4.1.1.4); a CR, LF or NUL elsewhere is never data, since another
//! server might see a line or an end there (SMTP smuggling).

use bytes::{Buf as _, BytesMut};

/// An octet that no message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// CR without LF.
    BareCr,
    /// LF without CR.
    BareLf,
    /// NUL.
    Nul,
}

impl Violation {
    /// The word in the audit record.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::BareCr => "bare-cr",
            Self::BareLf => "bare-lf",
            Self::Nul => "nul",
        }
    }
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not at its end.
    More,
    /// The end was found (DATA), or the chunk is complete (BDAT).
    Done,
    /// Refused; the connection must end.
    Violation(Violation),
    /// So far over the limit that the rest is not worth reading.
    Drowned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Line,
    /// After a CR.
    Cr,
    /// After a dot that begins a line (DATA only).
    Dot,
    /// After a dot that begins a line, and a CR (DATA only).
    DotCr,
}

/// Takes the octets of one message.
#[derive(Debug)]
pub(crate) struct Body {
    at: At,
    /// BDAT: no dots, no end mark.
    chunked: bool,
    kept: Vec<u8>,
    limit: usize,
    over: usize,
}

impl Body {
    /// For DATA.
    pub(crate) fn dotted(limit: usize) -> Self {
        Self {
            at: At::LineStart,
            chunked: false,
            kept: Vec::new(),
            limit,
            over: 0,
        }
    }

    /// For BDAT.
    pub(crate) fn chunked(limit: usize) -> Self {
        Self {
            chunked: true,
            ..Self::dotted(limit)
        }
    }

    /// Bytes kept so far.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// True if more came than may; nothing is kept any more.
    pub(crate) fn is_too_large(&self) -> bool {
        self.over > 0
    }

    /// The message, after [`Progress::Done`].
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    /// Takes what is in `input`, up to the end of the data.
    pub(crate) fn take_dotted(&mut self, input: &mut BytesMut) -> Progress {
        let (used, progress) = self.scan(input);
        input.advance(used);
        progress
    }

    /// Takes up to `left` octets of a chunk and lowers it by what was taken.
    pub(crate) fn take_chunk(&mut self, input: &mut BytesMut, left: &mut usize) -> Progress {
        let available = input.len().min(*left);
        let (used, progress) = self.scan(input.get(..available).unwrap_or_default());
        input.advance(used);
        *left -= used;
        match progress {
            Progress::More if *left == 0 => Progress::Done,
            other => other,
        }
    }

    /// At the end of the last chunk: a CR may not be left without its LF.
    pub(crate) fn finish_chunks(&self) -> Result<(), Violation> {
        if self.at == At::Cr {
            Err(Violation::BareCr)
        } else {
            Ok(())
        }
    }

    fn scan(&mut self, input: &[u8]) -> (usize, Progress) {
        let mut used = 0;
        while let Some(&octet) = input.get(used) {
            match (self.at, octet) {
                (_, 0) => return (used, Progress::Violation(Violation::Nul)),
                (At::Cr, b'\n') => {
                    self.keep(b"\r\n");
                    self.at = At::LineStart;
                }
                (At::DotCr, b'\n') => return (used + 1, Progress::Done),
                (At::Cr | At::DotCr, _) => {
                    return (used, Progress::Violation(Violation::BareCr));
                }
                (_, b'\n') => return (used, Progress::Violation(Violation::BareLf)),
                (At::Dot, b'\r') => self.at = At::DotCr,
                (_, b'\r') => self.at = At::Cr,
                (At::LineStart, b'.') if !self.chunked => self.at = At::Dot,
                (At::LineStart | At::Line | At::Dot, _) => {
                    let rest = input.get(used..).unwrap_or_default();
                    let run = rest
                        .iter()
                        .position(|&b| matches!(b, b'\r' | b'\n' | 0))
                        .unwrap_or(rest.len());
                    self.keep(rest.get(..run).unwrap_or_default());
                    self.at = At::Line;
                    used += run;
                    if self.over > self.limit.saturating_mul(2) {
                        return (used, Progress::Drowned);
                    }
                    continue;
                }
            }
            used += 1;
        }
        (used, Progress::More)
    }

    fn keep(&mut self, octets: &[u8]) {
        if self.over > 0 || self.kept.len() + octets.len() > self.limit {
            self.over = self.over.saturating_add(octets.len());
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dotted(data: &[u8]) -> (Progress, Vec<u8>, usize) {
        let mut body = Body::dotted(1000);
        let mut input = BytesMut::from(data);
        let progress = body.take_dotted(&mut input);
        (progress, body.into_bytes(), input.len())
    }

    #[test]
    fn only_crlf_dot_crlf_ends_the_data() {
        assert_eq!(
            dotted(b"a\r\n.\r\nQUIT\r\n"),
            (Progress::Done, b"a\r\n".to_vec(), 6)
        );
        assert_eq!(dotted(b".\r\n"), (Progress::Done, Vec::new(), 0));
        assert_eq!(dotted(b"a\r\n.\r"), (Progress::More, b"a\r\n".to_vec(), 0));
        assert_eq!(dotted(b"a.\r\n"), (Progress::More, b"a.\r\n".to_vec(), 0));
    }

    #[test]
    fn dots_are_unstuffed_once() {
        let (progress, kept, _) = dotted(b"..\r\n...\r\n.x\r\nFrom me\r\na..b\r\n.\r\n");
        assert_eq!(progress, Progress::Done);
        assert_eq!(kept, b".\r\n..\r\nx\r\nFrom me\r\na..b\r\n");
    }

    #[test]
    fn every_other_end_of_line_is_a_violation() {
        use Violation::{BareCr, BareLf, Nul};
        for (data, violation) in [
            (&b"a\n.\nMAIL"[..], BareLf),
            (b"a\n.\r\n", BareLf),
            (b"a\r\n.\n", BareLf),
            (b"a\r.\r", BareCr),
            (b"a\r.\r\n", BareCr),
            (b"a\r\n.\rMAIL", BareCr),
            (b"a\r\n.\r\r\n", BareCr),
            (b"a\r\r\n.\r\n", BareCr),
            (b"a\n.\r", BareLf),
            (b"a\r.\n", BareCr),
            (b"a\r\n\0.\r\n", Nul),
            (b"a\r\n.\0\r\n", Nul),
            (b"a\0\r\n.\r\n", Nul),
            (b"a\r\0\n", Nul),
            (b"\n", BareLf),
            (b".\n", BareLf),
            (b"..\n", BareLf),
        ] {
            for cut in 0..data.len() {
                let mut body = Body::dotted(1000);
                let (head, tail) = data.split_at(cut);
                let mut input = BytesMut::from(head);
                let mut progress = body.take_dotted(&mut input);
                if progress == Progress::More {
                    input = BytesMut::from(tail);
                    progress = body.take_dotted(&mut input);
                }
                assert_eq!(
                    progress,
                    Progress::Violation(violation),
                    "{data:?} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut body = Body::dotted(4);
        let mut input = BytesMut::from(&b"abcdef\r\n.\r\n"[..]);
        assert_eq!(body.take_dotted(&mut input), Progress::Done);
        assert!(body.is_too_large());
        assert_eq!(body.len(), 0);
        let mut body = Body::dotted(4);
        let mut input = BytesMut::from(&b"abcdefghijkl\r\n.\r\n"[..]);
        assert_eq!(body.take_dotted(&mut input), Progress::Drowned);
        let mut body = Body::dotted(6);
        let mut input = BytesMut::from(&b"abcd\r\n.\r\n"[..]);
        assert_eq!(body.take_dotted(&mut input), Progress::Done);
        assert_eq!(body.into_bytes(), b"abcd\r\n");
    }

    #[test]
    fn chunks_keep_dots_and_refuse_bare_line_ends() {
        let mut body = Body::chunked(100);
        let mut input = BytesMut::from(&b".\r\n.\r\nrest"[..]);
        let mut left = 6;
        assert_eq!(body.take_chunk(&mut input, &mut left), Progress::Done);
        assert_eq!((left, &input[..]), (0, &b"rest"[..]));
        assert_eq!(body.finish_chunks(), Ok(()));
        assert_eq!(body.into_bytes(), b".\r\n.\r\n");

        // A CR at the end of one chunk and its LF in the next are one line end.
        let mut body = Body::chunked(100);
        let mut left = 2;
        assert_eq!(
            body.take_chunk(&mut BytesMut::from(&b"a\r"[..]), &mut left),
            Progress::Done
        );
        assert_eq!(body.finish_chunks(), Err(Violation::BareCr));
        let mut left = 1;
        assert_eq!(
            body.take_chunk(&mut BytesMut::from(&b"\n"[..]), &mut left),
            Progress::Done
        );
        assert_eq!(body.into_bytes(), b"a\r\n");

        let mut body = Body::chunked(100);
        let mut left = 3;
        assert_eq!(
            body.take_chunk(&mut BytesMut::from(&b"a\nb"[..]), &mut left),
            Progress::Violation(Violation::BareLf)
        );
    }
}
