//! An application that does as a test tells it.

use std::future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A request as it came.
#[derive(Debug)]
pub(in super::super) struct Seen {
    pub(in super::super) method: Method,
    pub(in super::super) path: String,
    pub(in super::super) headers: HeaderMap,
    pub(in super::super) body: Bytes,
}

impl Seen {
    pub(in super::super) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

/// What the application does about a request.
#[derive(Debug, Clone)]
pub(in super::super) enum Deed {
    /// Answers with a status and a body.
    Answer(u16, String),
    /// Sends the browser elsewhere.
    Redirect(String),
    /// Answers nothing, for ever.
    Hang,
    /// Closes the connection.
    Close,
    /// Promises 100 bytes and closes after some.
    CloseMidBody,
    /// Sends a byte a second, for ever.
    Drip,
    /// Sends as fast as it can, for ever.
    Flood,
}

impl Deed {
    pub(in super::super) fn json(body: &str) -> Self {
        Self::Answer(200, body.to_owned())
    }
}

pub(in super::super) struct App {
    pub(in super::super) url: String,
    pub(in super::super) connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Arc<Seen>>>>,
    /// A word for each request that came, and for each whose answer was given up.
    pub(in super::super) words: mpsc::UnboundedReceiver<&'static str>,
}

impl App {
    pub(in super::super) async fn new(deed: impl Fn(&Seen) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
        let (said, words) = mpsc::unbounded_channel();
        let app = Self { url, connections: Arc::default(), seen: Arc::default(), words };
        let (seen, connections) = (Arc::clone(&app.seen), Arc::clone(&app.connections));
        let deed = Arc::new(deed);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, Arc::clone(&deed), Arc::clone(&seen), said.clone()));
            }
        });
        app
    }

    /// One that does the same every time.
    pub(in super::super) async fn always(deed: Deed) -> Self {
        Self::new(move |_| deed.clone()).await
    }

    pub(in super::super) fn seen(&self) -> Vec<Arc<Seen>> {
        self.seen.lock().unwrap().clone()
    }
}

pub(in super::super) async fn serve<D: Fn(&Seen) -> Deed + Send + Sync + 'static>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    deed: Arc<D>,
    seen: Arc<Mutex<Vec<Arc<Seen>>>>,
    said: mpsc::UnboundedSender<&'static str>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (deed, seen, said) = (Arc::clone(&deed), Arc::clone(&seen), said.clone());
        async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path_and_query().unwrap().to_string();
            let body = body.collect().await.unwrap().to_bytes();
            let request = Arc::new(Seen { method: head.method, path, headers: head.headers, body });
            seen.lock().unwrap().push(Arc::clone(&request));
            let _ = said.send("came");
            let respond = |status, body| Response::builder().status(status).body(body).unwrap();
            Ok(match deed(&request) {
                Deed::Answer(status, body) => respond(status, Script::Whole(Some(body.into()))),
                Deed::Redirect(to) => {
                    let response = Response::builder().status(302).header("location", to);
                    response.body(Script::Whole(None)).unwrap()
                }
                Deed::Hang => {
                    let _word = GivenUp(said);
                    future::pending().await
                }
                Deed::Close => return Err(io::Error::other("closed")),
                Deed::CloseMidBody => {
                    let response = Response::builder().header("content-length", "100");
                    response.body(Script::Cut(Some("{\"result\":".into()))).unwrap()
                }
                Deed::Drip => respond(200, Script::Drip(Box::pin(tokio::time::sleep(Duration::ZERO)))),
                Deed::Flood => respond(200, Script::Flood),
            })
        }
    });
    // A connection that a test ends is no fault.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

struct GivenUp(mpsc::UnboundedSender<&'static str>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        let _ = self.0.send("given up");
    }
}

enum Script {
    Whole(Option<Bytes>),
    Cut(Option<Bytes>),
    Drip(Pin<Box<tokio::time::Sleep>>),
    Flood,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match &mut *self {
            Self::Whole(body) => body.take().map(|body| Ok(Frame::data(body))),
            Self::Cut(body) => Some(body.take().map(Frame::data).ok_or_else(|| io::Error::other("cut"))),
            Self::Drip(sleep) => {
                std::task::ready!(sleep.as_mut().poll(cx));
                sleep.set(tokio::time::sleep(Duration::from_secs(1)));
                Some(Ok(Frame::data(" ".into())))
            }
            Self::Flood => Some(Ok(Frame::data(Bytes::from_static(&[b' '; 4096])))),
        })
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(body) => {
                hyper::body::SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            _ => hyper::body::SizeHint::default(),
        }
    }
}
