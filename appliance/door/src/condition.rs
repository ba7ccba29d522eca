//! `/healthz` and `/metrics`, for who operates the node: on an address of this
//! machine alone (the settings' check sees to it), by the first open door of
//! rest, siena, mail. Core says what there is to say.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_hsm_api::DoorZone;
use chancery_pipeline::ports::ReplyBody;
use chancery_pipeline::protocol::Condition;
use chancery_settings::Settings;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;

use crate::gate::DoorGate;
use crate::listen::{Port, Stream, accept};

/// Connections at one time.
const CONNECTIONS: u32 = 8;
/// How long a request may take to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// How long core may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a connection may last.
const CONNECTION: Duration = Duration::from_secs(60);

/// Whether the door of that zone tells the node's condition.
pub(crate) fn tells(settings: &Settings, zone: DoorZone) -> bool {
    let doors = &settings.doors;
    let first = if doors.rest.is_some() {
        DoorZone::Rest
    } else if doors.siena.is_some() {
        DoorZone::Siena
    } else {
        DoorZone::Mail
    };
    settings.metrics.listen.is_some() && zone == first
}

/// Serves the port until the door closes.
pub(crate) async fn serve(port: Port, gate: Arc<DoorGate>, closing: watch::Receiver<bool>) {
    accept(port, CONNECTIONS, closing, move |stream, _address| {
        let gate = Arc::clone(&gate);
        async move { connection(stream, gate).await }
    })
    .await;
}

async fn connection(stream: Stream, gate: Arc<DoorGate>) {
    let service = service_fn(|request: Request<Incoming>| {
        let gate = Arc::clone(&gate);
        async move { Ok::<_, Infallible>(answer(&request, &gate).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(32)
        .serve_connection(TokioIo::new(stream), service);
    // How it ends is the operator's own end of it.
    let _ended = tokio::time::timeout(CONNECTION, serving).await;
}

async fn answer(request: &Request<Incoming>, gate: &DoorGate) -> Response<Full<Bytes>> {
    // A browser on this machine may be led here under another name.
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if !is_here(host) {
        return plain(
            StatusCode::MISDIRECTED_REQUEST,
            "another host is served here\n",
        );
    }
    if request.method() != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
    }
    let form = match request.uri().path() {
        "/healthz" => Condition::Health,
        "/metrics" => Condition::Metrics,
        _ => {
            return plain(
                StatusCode::NOT_FOUND,
                "/healthz and /metrics are served here\n",
            );
        }
    };
    let told = tokio::time::timeout(ANSWER, gate.condition(form)).await;
    let Ok(Ok(reply)) = told else {
        return without_core(form);
    };
    let ReplyBody::Whole(body) = reply.body else {
        return without_core(form);
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    if let Ok(kind) = reply.content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// An address of this machine, or its name for itself, with any port.
fn is_here(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// What can be said while core is not there.
fn without_core(form: Condition) -> Response<Full<Bytes>> {
    match form {
        Condition::Health => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "{\"status\":\"unwell\",\"parts\":{\"core\":\"unwell\"}}\n",
        ),
        Condition::Metrics => plain(
            StatusCode::OK,
            "# HELP chancery_up Whether a part of the node works.\n# TYPE chancery_up gauge\nchancery_up{part=\"core\"} 0\n",
        ),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let kind = if text.starts_with('{') {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_meant() {
        for host in [
            "localhost",
            "localhost:9464",
            "127.0.0.1:9464",
            "[::1]:9464",
            "127.0.0.1",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "",
            "gateway.example.eu",
            "192.0.2.1:9464",
            "localhost.example.eu",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
