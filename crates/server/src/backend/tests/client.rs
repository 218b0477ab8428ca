//! The client against applications that misbehave.

use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_hub::auth::Fetch as _;
use http::HeaderMap;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::super::client::BODY_LIMIT;
use super::super::{CallError, Client, Endpoint};
use super::app::{App, Deed};

const LONG: Duration = Duration::from_secs(30);

async fn post(url: &str, timeout: Duration) -> Result<(u16, usize), CallError> {
    let client = Client::new(Handle::current());
    let endpoint = Endpoint::parse(url).unwrap();
    let response = client.post(&endpoint, HeaderMap::new(), "{}".into(), timeout).await?;
    Ok((response.status().as_u16(), response.body().len()))
}

/// The error without its sentence.
fn kind(outcome: Result<(u16, usize), CallError>) -> Result<(u16, usize), &'static str> {
    outcome.map_err(|error| match error {
        CallError::Unreachable(_) => "unreachable",
        CallError::Timeout(_) => "timeout",
        CallError::Broken(_) => "broken",
        CallError::TooLarge => "too large",
        CallError::Status(_) => "status",
        CallError::Ended => "ended",
    })
}

#[tokio::test]
async fn an_answer_is_whole_or_an_error() {
    for (deed, wanted) in [
        (Deed::json("{}"), Ok((200, 2))),
        (Deed::Answer(503, "sorry".into()), Ok((503, 5))),
        (Deed::Answer(200, " ".repeat(BODY_LIMIT)), Ok((200, BODY_LIMIT))),
        (Deed::Answer(200, " ".repeat(BODY_LIMIT + 1)), Err("too large")),
        // The status says enough.
        (Deed::Answer(500, " ".repeat(BODY_LIMIT + 1)), Ok((500, 0))),
        (Deed::Flood, Err("too large")),
        (Deed::Close, Err("broken")),
        (Deed::CloseMidBody, Err("broken")),
    ] {
        let app = App::always(deed.clone()).await;
        assert_eq!(kind(post(&app.url, LONG).await), wanted, "{deed:?}");
    }
}

#[tokio::test]
async fn what_speaks_no_http_is_broken_and_what_is_not_there_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let smtp = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        stream
    });
    assert_eq!(kind(post(&url, LONG).await), Err("broken"));
    drop(smtp.await);
    // The listener is gone.
    assert_eq!(kind(post(&url, LONG).await), Err("unreachable"));
    assert_eq!(kind(post("http://nowhere.invalid/", LONG).await), Err("unreachable"));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_for_the_whole_of_a_call() {
    for deed in [Deed::Hang, Deed::Drip] {
        let app = App::always(deed.clone()).await;
        assert_eq!(kind(post(&app.url, Duration::from_millis(2500)).await), Err("timeout"), "{deed:?}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = App::always(Deed::json("{}")).await;
    let app = App::always(Deed::Redirect(other.url.clone())).await;
    assert_eq!(post(&app.url, LONG).await, Ok((302, 0)));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_connection_serves_many_calls() {
    let app = App::always(Deed::json("{}")).await;
    let client = Client::new(Handle::current());
    let endpoint = Endpoint::parse(&app.url).unwrap();
    for _ in 0..5 {
        client.post(&endpoint, HeaderMap::new(), "{}".into(), LONG).await.unwrap();
        // Its task has to see that the answer was read before it is free again.
        tokio::task::yield_now().await;
    }
    assert_eq!(app.seen().len(), 5);
    assert_eq!(app.connections.load(Ordering::Relaxed), 1);
    let first = &app.seen()[0];
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/hook?key=1"));
    assert!(first.headers["user-agent"].to_str().unwrap().starts_with("antiphon/"));
}

#[tokio::test]
async fn who_asks_no_more_ends_the_call() {
    let mut app = App::always(Deed::Hang).await;
    let client = Client::new(Handle::current());
    let call = client.post(&Endpoint::parse(&app.url).unwrap(), HeaderMap::new(), "{}".into(), 100 * LONG);
    assert_eq!(app.words.recv().await, Some("came"));
    drop(call);
    let given_up = tokio::time::timeout(LONG, app.words.recv()).await;
    assert_eq!(given_up, Ok(Some("given up")));
}

#[test]
fn an_answer_may_be_awaited_anywhere() {
    let background = Builder::new_current_thread().enable_all().build().unwrap();
    let app = background.block_on(App::always(Deed::json("{}")));
    let client = Client::new(background.handle().clone());
    let (end, ended) = oneshot::channel::<()>();
    let background = std::thread::spawn(move || {
        let _ = background.block_on(ended);
    });
    let endpoint = Endpoint::parse(&app.url).unwrap();
    // This one has neither sockets nor timers.
    let worker = Builder::new_current_thread().build().unwrap();
    let call = client.post(&endpoint, HeaderMap::new(), "{}".into(), LONG);
    assert_eq!(worker.block_on(call).unwrap().status(), 200);

    drop(end);
    background.join().unwrap();
    let call = client.post(&endpoint, HeaderMap::new(), "{}".into(), LONG);
    assert_eq!(worker.block_on(call).unwrap_err(), CallError::Ended);
}

#[tokio::test]
async fn documents_are_fetched() {
    let client = Client::new(Handle::current());
    for (deed, wanted) in [
        (Deed::json(r#"{"keys":[]}"#), Ok(r#"{"keys":[]}"#)),
        (Deed::Answer(204, String::new()), Err("status 204")),
        (Deed::Answer(404, "no".into()), Err("status 404")),
        (Deed::Close, Err("connection")),
    ] {
        let app = App::always(deed).await;
        let fetched = client.fetch(&app.url).await;
        assert_eq!(app.seen()[0].method, "GET");
        match (fetched, wanted) {
            (Ok(body), Ok(wanted)) => assert_eq!(body, wanted),
            (Err(said), Err(part)) => {
                assert!(said.contains(part) && said.contains("/hook: "), "{said}");
                // A key in the query stays out of logs.
                assert!(!said.contains("key=1"), "{said}");
            }
            (fetched, wanted) => panic!("{fetched:?} instead of {wanted:?}"),
        }
    }
    assert!(client.fetch("ftp://a/").await.unwrap_err().contains("http://"));
}
