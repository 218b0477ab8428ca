//! The connection that publishes.

use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::Poll;

use antiphon_hub::protocol::{Command, PublishRequest};
use antiphon_proto::Event;
use antiphon_socket::Turn;

use super::{Phase, Run};
use crate::bench::open::Socket;
use crate::bench::speaker::{Speaker, end_of};
use crate::client::text_of;

/// Publishes as the run says.
///
/// # Errors
/// When the connection ends, or the server refuses a publication.
pub(super) async fn publish(mut socket: Socket, run: Rc<Run>) -> Result<Infallible, String> {
    let mut speaker = Speaker::default();
    if run.channel.is_some() {
        speaker.introduce(&mut socket, run.token.as_deref(), None).await?;
    }
    let mut commands = 1;
    let mut failure = None;
    poll_fn(|cx| {
        loop {
            let turn = socket.poll_turn(cx, &mut |connection, event| {
                // A publisher in `/raw` hears itself; that is no delivery.
                if let (Event::Text(text), true) = (event, run.channel.is_some()) {
                    failure = speaker.hear(&text, connection, |_| {}).err();
                }
                if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            match (failure.take(), turn) {
                (Some(cause), _) => return Poll::Ready(Err(cause)),
                (None, Poll::Ready(Turn::Done)) => return Poll::Ready(Err(end_of(&socket))),
                (None, _) => {}
            }
            *run.publisher.borrow_mut() = Some(cx.waker().clone());
            let mut is_sent = false;
            while let Some(number) = due(&run) {
                commands += 1;
                let sent = socket.connection_mut().send_text(&message(&run, number, commands));
                if let Err(error) = sent {
                    return Poll::Ready(Err(error.to_string()));
                }
                is_sent = true;
            }
            // Another turn writes it.
            if !is_sent {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// The number of the publication that is to go out now.
fn due(run: &Run) -> Option<u64> {
    match run.phase.get() {
        Phase::Wait => None,
        Phase::Probe => {
            run.phase.set(Phase::Wait);
            Some(0)
        }
        Phase::Publish => {
            let mut tally = run.tally.borrow_mut();
            (tally.outstanding() < run.window).then(|| tally.publish())
        }
    }
}

/// A publication, as it is sent: in the client protocol a JSON string, whose quotes count.
fn message(run: &Run, number: u64, id: u32) -> String {
    let Some(channel) = &run.channel else { return run.marks.payload(number, run.size) };
    let data = format!("\"{}\"", run.marks.payload(number, run.size.saturating_sub(2)));
    let publish = PublishRequest { channel: channel.clone(), data: data.into(), kind: 0 };
    text_of(&[Command { id, publish: Some(publish), ..Command::default() }])
}
