//! Files on their way: read and written piece by piece, never whole.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

use crate::failure::{Failure, failed};

/// Bytes of one piece.
const PIECE: usize = 64 * 1024;

/// A file as the body of a request.
pub(super) struct FileBody {
    file: File,
    left: u64,
    piece: Box<[u8]>,
}

impl FileBody {
    /// As many bytes as the file has now.
    pub(super) fn new(file: File, size: u64) -> Self {
        Self {
            file,
            left: size,
            piece: vec![0; PIECE].into(),
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.left == 0 {
            return Poll::Ready(None);
        }
        // What was added to the file meanwhile is not part of it.
        let most = usize::try_from(this.left).unwrap_or(PIECE).min(PIECE);
        let mut piece = ReadBuf::new(this.piece.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(&mut this.file).poll_read(context, &mut piece))?;
        let read = piece.filled();
        if read.is_empty() {
            let shorter = "the file became shorter while it was read";
            return Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                shorter,
            ))));
        }
        this.left -= read.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(read)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Writes the body of an answer into a new file of the user alone; its SHA-256
/// in hex. A file that broke off is not left behind.
pub(super) async fn write(mut body: Incoming, path: &Path) -> Result<String, Failure> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .await
        .map_err(failed(format!("{} cannot be made", path.display())))?;
    let written = async {
        let mut digest = Sha256::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(failed("the answer broke off"))?;
            if let Some(piece) = frame.data_ref() {
                digest.update(piece);
                file.write_all(piece)
                    .await
                    .map_err(failed(path.display()))?;
            }
        }
        file.sync_all().await.map_err(failed(path.display()))?;
        Ok(hex::encode(digest.finalize()))
    }
    .await;
    if written.is_err() {
        let _removed = tokio::fs::remove_file(path).await;
    }
    written
}
