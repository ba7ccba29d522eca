//! A gateway that remembers what doors hand it.

use std::sync::Mutex;

use bytes::Bytes;
use chancery_message::{Inbound, PeerEvidence};
use chancery_pipeline::ports::{
    Ask, BoxFuture, Chunks, DoorRefusal, Gate, GateError, Reply, ReplyBody, TooMany,
};

/// Accepts everything, or answers what it was told.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) submitted: Mutex<Vec<(Inbound, Bytes)>>,
    pub(crate) refused: Mutex<Vec<DoorRefusal>>,
    /// True: never answers.
    pub(crate) silent: bool,
    /// True: the peer sends too much.
    pub(crate) too_many: bool,
}

impl Memory {
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.submitted
            .lock()
            .unwrap()
            .iter()
            .map(|(_, raw)| raw.clone())
            .collect()
    }

    pub(crate) fn reasons(&self) -> Vec<String> {
        self.refused
            .lock()
            .unwrap()
            .iter()
            .map(|refusal| refusal.reason.clone())
            .collect()
    }
}

impl Gate for Memory {
    fn submit(&self, inbound: Inbound, raw: Bytes) -> BoxFuture<'_, Result<Reply, GateError>> {
        Box::pin(async move {
            if self.silent {
                std::future::pending::<()>().await;
            }
            self.submitted.lock().unwrap().push((inbound, raw));
            Ok(Reply {
                status: 250,
                content_type: String::new(),
                headers: Vec::new(),
                body: ReplyBody::Whole(Bytes::from_static(b"2.0.0 accepted as 7")),
                per_recipient: Vec::new(),
            })
        })
    }

    fn upload<'a>(
        &'a self,
        _peer: PeerEvidence,
        _media_type: String,
        _declared_size: Option<u64>,
        _body: &'a mut dyn Chunks,
    ) -> BoxFuture<'a, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn ask(&self, _peer: PeerEvidence, _ask: Ask) -> BoxFuture<'_, Result<Reply, GateError>> {
        Box::pin(async { Err(GateError::Busy) })
    }

    fn admit(&self, _peer: &PeerEvidence) -> Result<(), TooMany> {
        if self.too_many {
            return Err(TooMany {
                retry_after: 30,
                first: true,
            });
        }
        Ok(())
    }

    fn refused(&self, refusal: DoorRefusal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.refused.lock().unwrap().push(refusal);
        })
    }
}
