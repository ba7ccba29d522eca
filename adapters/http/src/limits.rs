//! Bounds of the interface.

use std::time::Duration;

/// Bounds on one connection and its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest submission, bytes.
    pub submission: u64,
    /// Largest upload, bytes.
    pub upload: u64,
    /// From the head of a submission to the end of its body.
    pub submission_time: Duration,
    /// Longest pause within an upload.
    pub upload_pause: Duration,
    /// Slowest upload, bytes a second, counted after [`Limits::upload_grace`].
    pub upload_rate: u64,
    /// How long an upload may be slower than that at its beginning.
    pub upload_grace: Duration,
    /// For the head of a request; also how long an idle connection is kept.
    pub headers: Duration,
    /// Most header fields.
    pub header_fields: usize,
    /// Largest head of a request, bytes.
    pub header_bytes: usize,
    /// Requests at one time on one HTTP/2 connection.
    pub requests: u32,
    /// Bytes under way on one HTTP/2 stream before they are read.
    pub window: u32,
    /// How often an HTTP/2 peer is asked whether it still lives.
    pub ping: Duration,
    /// How long requests may take to end when the door closes.
    pub drain: Duration,
    /// How long a refusal waits for its record.
    pub record: Duration,
}

impl Default for Limits {
    /// 2 MiB a submission in 30 s; 1 GiB an upload, 16 KiB/s after a minute.
    fn default() -> Self {
        Self {
            submission: 2 * 1024 * 1024,
            upload: 1024 * 1024 * 1024,
            submission_time: Duration::from_secs(30),
            upload_pause: Duration::from_secs(30),
            upload_rate: 16 * 1024,
            upload_grace: Duration::from_secs(60),
            headers: Duration::from_secs(30),
            header_fields: 64,
            header_bytes: 32 * 1024,
            requests: 16,
            window: 256 * 1024,
            ping: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            record: Duration::from_secs(2),
        }
    }
}
