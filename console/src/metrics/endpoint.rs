//! Metrics over HTTP.
//!
//! Few connections at a time, each with little time to ask: whoever reads metrics is a scraper
//! that comes now and then. There is no encryption and no password, so this is for where only the
//! machine itself comes in, unless somebody decides otherwise.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::{exposition::Format, families::Reading};

/// Connections at a time. A further one waits until another has ended.
const CONNECTIONS: usize = 16;

/// How long a client has for the head of a request, also for that of the next on a connection.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// How long a connection lasts in all, whatever the client does.
const CONNECTION_TIME: Duration = Duration::from_secs(3600);

/// Wait after a connection could not be accepted, for instance because too many files are open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What reads the server for each scrape.
type Source = dyn FnMut() -> anyhow::Result<Reading> + Send;

/// Where metrics are offered.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
}

impl Endpoint {
    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// Where the kernel says no, for instance because somebody listens there already.
    pub fn listen(address: SocketAddr) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Where the kernel does not say.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers until `end` is over. Each scrape reads the server anew.
    ///
    /// # Errors
    ///
    /// Where the event loop cannot be started.
    pub fn serve(
        self,
        source: impl FnMut() -> anyhow::Result<Reading> + Send + 'static,
        end: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the event loop")?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            tokio::select! {
                () = accept(listener, Arc::new(Mutex::new(source))) => {}
                () = end => {}
            }
            Ok(())
        })
    }
}

async fn accept(listener: tokio::net::TcpListener, source: Arc<Mutex<Source>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept a connection for metrics: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let source = Arc::clone(&source);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let source = Arc::clone(&source);
                async move { Ok::<_, Infallible>(answer(&request, source).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_TIME)
                .serve_connection(TokioIo::new(stream), answer);
            // A client that goes away in the middle has nobody to be told.
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(place);
        });
    }
}

async fn answer(request: &Request<Incoming>, source: Arc<Mutex<Source>>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if path != "/metrics" {
        let status = if path == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return plain(status, "the metrics of zeroserve are at /metrics\n");
    }
    let accepted: Vec<&str> =
        request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::negotiate(&accepted.join(","));
    // One at a time is enough. Whoever reads the kernel may have an event loop of his own.
    let read = move || {
        let reading = source.lock().unwrap_or_else(PoisonError::into_inner)();
        reading.map(|reading| format.write(reading))
    };
    let read = tokio::task::spawn_blocking(read).await;
    match read.unwrap_or_else(|_| Err(anyhow::anyhow!("reading the server failed, see the log"))) {
        Ok(document) => {
            let mut response = Response::new(Full::from(document));
            let content_type = HeaderValue::from_static(format.content_type());
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        }
        Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}\n")),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text.to_owned()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
