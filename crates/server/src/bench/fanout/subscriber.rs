//! A connection that listens.

use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::Poll;

use antiphon_proto::{Connection, Event};
use antiphon_socket::Turn;

use super::Run;
use crate::bench::open::Socket;
use crate::bench::speaker::{Speaker, end_of};

/// Subscribes, and counts what comes.
///
/// # Errors
/// When the connection ends, or the server refuses the subscription.
pub(super) async fn subscribe(mut socket: Socket, nth: usize, run: Rc<Run>) -> Result<Infallible, String> {
    let mut speaker = Speaker::default();
    if let Some(channel) = &run.channel {
        let begin = Speaker::begin(run.token.as_deref(), Some(channel));
        socket.connection_mut().send_text(&begin).map_err(|e| e.to_string())?;
    }
    let mut failure = None;
    poll_fn(|cx| {
        let turn = socket.poll_turn(cx, &mut |connection, event| {
            if let Event::Text(text) = event {
                failure = take(&text, connection, nth, &run, &mut speaker).err();
            }
            if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match (failure.take(), turn) {
            (Some(cause), _) => Poll::Ready(Err(cause)),
            (None, Poll::Ready(Turn::Done)) => Poll::Ready(Err(end_of(&socket))),
            (None, _) => Poll::Pending,
        }
    })
    .await
}

fn take(
    text: &str,
    connection: &mut Connection,
    nth: usize,
    run: &Run,
    speaker: &mut Speaker,
) -> Result<(), String> {
    for line in text.split('\n') {
        // The mark is looked for first: reading each push as JSON would cost more than the server's work.
        if let Some(number) = run.marks.find(line) {
            run.deliver(nth, number);
        } else if run.channel.is_some() {
            speaker.hear(line, connection, |_| {})?;
        }
    }
    Ok(())
}
