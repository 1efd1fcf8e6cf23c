//! One exchange with the server behind, over an ordinary socket.
//!
//! The XDP program sees what comes in from outside. What this machine sends to an address of its own
//! stays inside, so it reaches the server as if Zeroserve were not there.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use http::{
    HeaderMap, HeaderValue, Request,
    header::{ACCEPT_ENCODING, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_gettime};
use tokio::{net::TcpStream, runtime, time::timeout};
use zeroserve_shared::{response::MAX_BODY_BYTES, route::Encoding};

use crate::content::RoutePath;

/// How long the server may take to answer, body included.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The path, and the host that has it.
    pub path: &'a RoutePath,
    /// The only encoding that is accepted.
    pub encoding: Encoding,
    /// `If-None-Match`.
    pub etag: Option<HeaderValue>,
    /// `If-Modified-Since`, where there is no tag.
    pub modified: Option<HeaderValue>,
}

impl<'a> Query<'a> {
    /// Without conditions.
    pub fn new(path: &'a RoutePath, encoding: Encoding) -> Self {
        Self { path, encoding, etag: None, modified: None }
    }
}

/// What was answered, and when.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When it was asked, on `CLOCK_BOOTTIME`.
    pub asked: Duration,
    /// When the answer began to come.
    pub answered: SystemTime,
    /// Status code.
    pub status: u16,
    /// The fields.
    pub fields: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody takes the connection.
    #[error(
        "nobody answers behind zeroserve on port {port} ({error}); start the server that is to be asked"
    )]
    NoServer {
        /// The port.
        port: u16,
        /// What the kernel said of the last address that was tried.
        error: io::Error,
    },
    /// It takes too long.
    #[error("the server behind did not answer within {} s", PATIENCE.as_secs())]
    TooSlow,
    /// The body is larger than any that can be served.
    #[error("the answer is larger than {} MiB, the most a response can carry", MAX_BODY_BYTES >> 20)]
    TooLarge,
    /// It does not speak HTTP.
    #[error("the server behind did not answer as HTTP: {0}")]
    NoHttp(String),
}

/// Somebody to ask.
pub trait Origin: Send + fmt::Debug {
    /// Asks for a path, and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// See [`FetchError`].
    fn ask(&self, query: &Query<'_>) -> Result<Exchange, FetchError>;
}

/// The server behind, as it is reached from this machine.
#[derive(Clone, Debug)]
pub struct LocalServer {
    /// The addresses that it may listen on, all of this machine.
    pub addresses: Vec<IpAddr>,
    /// Its port.
    pub port: u16,
}

impl Origin for LocalServer {
    fn ask(&self, query: &Query<'_>) -> Result<Exchange, FetchError> {
        // On this thread, so that its network namespace is the one that counts.
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| self.no_server(error))?;
        runtime.block_on(async {
            timeout(PATIENCE, self.exchange(query)).await.unwrap_or(Err(FetchError::TooSlow))
        })
    }
}

impl LocalServer {
    fn no_server(&self, error: io::Error) -> FetchError {
        FetchError::NoServer { port: self.port, error }
    }

    async fn exchange(&self, query: &Query<'_>) -> Result<Exchange, FetchError> {
        let stream = self.connect().await?;
        let asked = since_boot();
        let no_http = |error: hyper::Error| FetchError::NoHttp(error.to_string());
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(no_http)?;
        // It ends with the exchange.
        let driver = tokio::spawn(connection);
        let request = self.request(query)?;
        let response = sender.send_request(request).await.map_err(no_http)?;
        let answered = SystemTime::now();
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES as usize).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => FetchError::NoHttp(error.to_string()),
            Err(_) => FetchError::TooLarge,
        })?;
        driver.abort();
        Ok(Exchange {
            asked,
            answered,
            status: head.status.as_u16(),
            fields: head.headers,
            body: body.to_bytes().to_vec(),
        })
    }

    async fn connect(&self) -> Result<TcpStream, FetchError> {
        let mut last = io::Error::other("it has no address that could be asked");
        for address in &self.addresses {
            match TcpStream::connect(SocketAddr::new(*address, self.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(self.no_server(last))
    }

    fn request(&self, query: &Query<'_>) -> Result<Request<Empty<Bytes>>, FetchError> {
        let mut host = query.path.host().unwrap_or_default().to_owned();
        if self.port != 80 {
            host += &format!(":{}", self.port);
        }
        let mut request = Request::builder()
            .uri(query.path.target())
            .header(HOST, host)
            .header(ACCEPT_ENCODING, query.encoding.name())
            .header("User-Agent", concat!("zeroserve/", env!("CARGO_PKG_VERSION")));
        match (&query.etag, &query.modified) {
            (Some(etag), _) => request = request.header(IF_NONE_MATCH, etag),
            (None, Some(modified)) => request = request.header(IF_MODIFIED_SINCE, modified),
            (None, None) => {}
        }
        request.body(Empty::new()).map_err(|error| FetchError::NoHttp(error.to_string()))
    }
}

/// The time on `CLOCK_BOOTTIME`.
pub(super) fn since_boot() -> Duration {
    // The clock has been there since Linux 2.6.39.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, TcpListener},
        thread,
    };

    use super::*;

    /// Answers one connection with fixed bytes, and returns what was asked.
    fn serve(answer: &'static [u8]) -> (LocalServer, thread::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a byte");
                request.push(byte[0]);
            }
            stream.write_all(answer).expect("an answer");
            String::from_utf8(request).expect("text")
        });
        // The first address has nobody.
        let addresses = vec![Ipv4Addr::new(127, 0, 0, 9).into(), Ipv4Addr::LOCALHOST.into()];
        (LocalServer { addresses, port }, asked)
    }

    #[test]
    fn a_path_is_asked_for_at_its_host_and_a_chunked_answer_put_together() {
        let (server, asked) = serve(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n\
              3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        );
        let path = "//example.org/a%20b".parse().expect("a path");
        let etag = Some(HeaderValue::from_static("\"a\""));
        let query = Query { etag, ..Query::new(&path, Encoding::Gzip) };
        let exchange = server.ask(&query).expect("an answer");
        assert_eq!((exchange.status, &exchange.body[..]), (200, &b"abcde"[..]));
        assert_eq!(exchange.fields["etag"], "\"a\"");
        let asked = asked.join().expect("a request").to_ascii_lowercase();
        let expected = [
            "get /a%20b http/1.1\r\n".to_owned(),
            format!("host: example.org:{}\r\n", server.port),
            "accept-encoding: gzip\r\n".to_owned(),
            "if-none-match: \"a\"\r\n".to_owned(),
        ];
        assert!(expected.iter().all(|line| asked.contains(line)), "{asked}");
    }

    #[test]
    fn a_server_that_does_not_answer_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let server = LocalServer { addresses: vec![Ipv4Addr::LOCALHOST.into()], port };
        let path = "//h/".parse().expect("a path");
        let error = server.ask(&Query::new(&path, Encoding::Identity)).expect_err("nobody");
        assert!(error.to_string().contains(&format!("port {port}")), "{error}");
        let (server, _asked) = serve(b"SSH-2.0-OpenSSH_9.2\r\n");
        let error = server.ask(&Query::new(&path, Encoding::Identity)).expect_err("no HTTP");
        assert!(matches!(error, FetchError::NoHttp(_)), "{error}");
    }
}
