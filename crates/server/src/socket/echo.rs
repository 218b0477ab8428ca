//! `/echo`: every message comes back.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::stream::Stream;
use antiphon_proto::{CloseCode, Connection, Event, Kind};
use antiphon_socket::{Turn, WebSocket};

use super::{Opened, close};
use crate::serve::{Pass, Seat};

/// The task of one connection to `/echo`.
pub(crate) struct Echo {
    socket: WebSocket<Stream>,
    seat: Seat,
    _pass: Pass,
}

impl Echo {
    pub(crate) fn new(opened: Opened) -> Self {
        let seat = opened.worker.roster.seat();
        let config = Arc::clone(&opened.worker.settings().echo);
        let (socket, pass) = opened.into_socket(&config);
        Self { socket, seat, _pass: pass }
    }
}

impl Future for Echo {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { socket, seat, .. } = &mut *self;
        if seat.poll_draining(cx).is_ready() {
            close(socket.connection_mut(), CloseCode::GOING_AWAY, "the server is shutting down");
        }
        loop {
            match socket.poll_turn(cx, &mut echo) {
                Poll::Ready(Turn::Done) => return Poll::Ready(()),
                Poll::Ready(Turn::Paused) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

fn echo(connection: &mut Connection, event: Event<'_>) -> ControlFlow<()> {
    let sent = match event {
        Event::Text(Cow::Borrowed(text)) => connection.send_text(text),
        Event::Text(Cow::Owned(text)) => connection.send_bytes(Kind::Text, text),
        Event::Binary(Cow::Borrowed(bytes)) => connection.send_binary(bytes),
        Event::Binary(Cow::Owned(bytes)) => connection.send_bytes(Kind::Binary, bytes),
        _ => return ControlFlow::Continue(()),
    };
    if sent.is_err() && connection.is_open() {
        // Messages that inflate to more than may wait. Others are not read before there is room for them.
        close(connection, CloseCode::TRY_AGAIN_LATER, "too much is waiting to be read");
    }
    ControlFlow::Continue(())
}
