//! HTTP over mutual TLS to a door of a gateway.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chancery_machine::SystemClock;
use chancery_transport::{ClientProfile, ClientTls};
use http::{Method, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::transfer::{self, FileBody};
use crate::failure::{Failure, failed};
use crate::files;

/// The largest answer that is taken into memory: a delivery's text and list.
const MOST: usize = 64 << 20;

/// What goes out: bytes, or a file.
type Out = UnsyncBoxBody<Bytes, std::io::Error>;

/// A connection that ends with its answer.
struct Driver(JoinHandle<Result<(), hyper::Error>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A client profile as it stands in its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileFile {
    /// The door's address with its root, for example `https://gateway:8443/api/v1`.
    pub(crate) url: String,
    /// The client's certificate chain, PEM; relative to the profile.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM, not encrypted.
    pub(crate) key: PathBuf,
    /// The authority of the gateway's certificate, PEM.
    pub(crate) ca: PathBuf,
}

/// One participant's end.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    tls: ClientTls,
    host: String,
    port: u16,
    root: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

fn bytes(body: Bytes) -> Out {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

impl Client {
    /// From a profile.
    pub(crate) fn open(profile: &Path) -> Result<Self, Failure> {
        let text = files::text(profile, 1 << 16)?;
        let read: ProfileFile = toml::from_str(&text)
            .map_err(|error| Failure::new(format!("{}: {}", profile.display(), error.message())))?;
        let base = profile.parent().unwrap_or(Path::new("."));
        let file = |path: &Path| files::read(&base.join(path), 1 << 20);
        let tls = ClientTls::new(
            &ClientProfile {
                ca: file(&read.ca)?,
                certificate_chain: file(&read.certificate)?,
                key: file(&read.key)?,
                alpn: vec!["http/1.1"],
            },
            Arc::new(SystemClock),
        )
        .map_err(failed(profile.display()))?;
        let uri: Uri = read.url.parse().map_err(failed("the profile's url"))?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
        let host = host
            .ok_or_else(|| Failure::new("the profile's url: https://HOST:PORT/PATH"))?
            .to_owned();
        Ok(Self {
            tls,
            host,
            port: uri.port_u16().unwrap_or(443),
            root: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// One request, its answer whole.
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let (answer, _driver) = self.exchange(method, path, headers, bytes(body)).await?;
        self.whole(answer).await
    }

    /// Sends a file as it is read.
    pub(crate) async fn upload(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        file: tokio::fs::File,
        size: u64,
    ) -> Result<Answer, Failure> {
        let body = FileBody::new(file, size).boxed_unsync();
        let (answer, _driver) = self.exchange(Method::POST, path, headers, body).await?;
        self.whole(answer).await
    }

    /// Writes an answer into a new file as it comes; its SHA-256 in hex.
    pub(crate) async fn download(&self, path: &str, file: &Path) -> Result<String, Failure> {
        let (answer, _driver) = self
            .exchange(Method::GET, path, &[], bytes(Bytes::new()))
            .await?;
        if answer.status().is_success() {
            return transfer::write(answer.into_body(), file).await;
        }
        let problem = self.whole(answer).await?.problem();
        Err(Failure::new(problem))
    }

    fn gateway(&self) -> String {
        format!("the gateway at {}:{}", self.host, self.port)
    }

    /// Sends a request on a connection of its own; the head of its answer.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Out,
    ) -> Result<(Response<Incoming>, Driver), Failure> {
        let gateway = self.gateway();
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(failed(format!("{gateway} cannot be reached")))?;
        stream.set_nodelay(true).map_err(failed(&gateway))?;
        let stream = self
            .tls
            .connect(&self.host, stream)
            .await
            .map_err(failed(format!("{gateway}: TLS")))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed(&gateway))?;
        let driver = Driver(tokio::spawn(connection));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.root))
            .header("host", format!("{}:{}", self.host, self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(failed("the request"))?;
        let answered = sender.send_request(request).await;
        let answer = answered.map_err(failed(format!("{gateway} ended the connection")))?;
        Ok((answer, driver))
    }

    /// The answer with its body.
    async fn whole(&self, answer: Response<Incoming>) -> Result<Answer, Failure> {
        let status = answer.status().as_u16();
        let content_type = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = Limited::new(answer.into_body(), MOST)
            .collect()
            .await
            .map_err(failed(format!("{}: the answer broke off", self.gateway())))?
            .to_bytes();
        Ok(Answer {
            status,
            content_type,
            body,
        })
    }
}

impl Answer {
    /// The answer if it is one, else the problem in one line.
    pub(crate) fn good(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(Failure::new(self.problem()))
    }

    /// What the gateway says is wrong.
    fn problem(&self) -> String {
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let word = |key: &str| {
            value
                .get(key)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
        };
        match (word("title"), word("detail")) {
            ("", "") => format!("the gateway answered {}", self.status),
            (title, "") => title.to_owned(),
            (title, detail) if detail.starts_with(title) => detail.to_owned(),
            (title, detail) => format!("{title}: {detail}"),
        }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value, Failure> {
        serde_json::from_slice(&self.body).map_err(failed("the gateway's answer"))
    }
}
