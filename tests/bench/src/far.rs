//! A participant's program: requests over one kept connection.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chancery_machine::SystemClock;
use chancery_transport::{ClientProfile, ClientTls};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::node::field;

pub(crate) struct Far {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    root: String,
}

impl Far {
    /// Connects with a profile that `chancery participant enroll` wrote.
    pub(crate) async fn connect(profile: &Path) -> Self {
        let base = profile.parent().unwrap();
        let file = |name| std::fs::read(base.join(field(profile, name))).unwrap();
        let tls = ClientTls::new(
            &ClientProfile {
                ca: file("ca"),
                certificate_chain: file("certificate"),
                key: file("key"),
                alpn: vec!["http/1.1"],
            },
            Arc::new(SystemClock),
        )
        .unwrap();
        let url: http::Uri = field(profile, "url").parse().unwrap();
        let (name, port) = (url.host().unwrap(), url.port_u16().unwrap());
        let stream = TcpStream::connect((name, port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = tls.connect(name, stream).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            host: format!("{name}:{port}"),
            root: url.path().trim_end_matches('/').to_owned(),
        }
    }

    /// One request that must succeed; its answer.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Bytes {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.root))
            .header("host", &self.host)
            .header("content-type", media_type)
            .body(Full::new(body))
            .unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(
            status.is_success(),
            "{path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        body
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Value {
        let body = Bytes::from(body.to_string());
        let answer = self.ask(Method::POST, path, "application/json", body).await;
        serde_json::from_slice(&answer).unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Value {
        let answer = self
            .ask(Method::GET, path, "application/json", Bytes::new())
            .await;
        serde_json::from_slice(&answer).unwrap()
    }

    /// What waits in the inbox; waits for news.
    pub(crate) async fn waiting(&mut self) -> Vec<String> {
        let listed = self.get("/inbox?wait=10&limit=100").await;
        let deliveries = listed["deliveries"].as_array().unwrap();
        deliveries
            .iter()
            .map(|one| one["delivery"].as_str().unwrap().to_owned())
            .collect()
    }
}
