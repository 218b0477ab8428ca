//! The socket as a `Stream` and a `Sink`, with the combinators of futures-util.

use antiphon_socket::proto::CloseCode;
use antiphon_socket::{Error, Message};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};

use crate::harness::*;

fn numbers(count: usize) -> Vec<Message> {
    (0..count).map(|number| Message::from(number.to_string())).collect()
}

/// Both directions at once, through less room than they need.
#[tokio::test(start_paused = true)]
async fn forward_echoes() {
    let (server, client) = pair(256, &defaults());
    let server = tokio::spawn(async move {
        let (sink, stream) = StreamExt::split(server);
        stream.forward(sink).await
    });
    let (mut sink, stream) = StreamExt::split(client);
    let sending = async {
        let mut messages = stream::iter(numbers(1000).into_iter().map(Ok::<_, Error>));
        sink.send_all(&mut messages).await.unwrap();
    };
    let receiving = async {
        let echoed: Vec<Message> = stream.take(1000).map(Result::unwrap).collect().await;
        assert_eq!(echoed, numbers(1000));
    };
    within(seconds(60), async { tokio::join!(sending, receiving) }).await;
    sink.close().await.unwrap();
    drop(sink);
    // The client is gone by now, or not yet: either way the server's loop ends.
    let _ = within(seconds(60), server).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_with_the_closing_handshake() {
    let (mut server, client) = pair(1 << 10, &defaults());
    let collecting = tokio::spawn(client.try_collect::<Vec<Message>>());
    for message in numbers(10) {
        SinkExt::feed(&mut server, message).await.unwrap();
    }
    SinkExt::close(&mut server).await.unwrap();
    assert!(server.next().await.is_none());
    assert!(server.next().await.is_none());
    assert!(server.end().unwrap().is_clean());
    assert_eq!(server.end().unwrap().sent.unwrap().code, CloseCode::NORMAL);
    SinkExt::close(&mut server).await.expect("closing what is closed is no error");
    assert_eq!(collecting.await.unwrap().unwrap(), numbers(10));
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_after_its_error() {
    let script = Script::new([Read::Data(masked(TEXT, b"one")), Read::Eof]);
    let items: Vec<_> = server(script, &defaults()).collect().await;
    assert!(matches!(&items[..], [Ok(_), Err(Error::Ended { .. })]), "{items:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_cannot_close_says_so_in_time() {
    let mut socket = server(Script::new([]).writes([Write::Stuck]), &impatient());
    let result = within(seconds(3), SinkExt::close(&mut socket)).await;
    assert!(matches!(result, Err(Error::Ended { .. })), "{result:?}");
    assert!(SinkExt::send(&mut socket, "late".into()).await.is_err());
}
