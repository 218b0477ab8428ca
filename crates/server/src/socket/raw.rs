//! `/raw/{channel}`: each message is published to the channel, each publication arrives as a message.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::{CloseCode, Event};
use antiphon_socket::Turn;

use super::shared::Shared;
use super::{Opened, close};
use crate::channels::{Encoding, Member, Payload, Publication};
use crate::serve::Worker;

/// The task of one connection to `/raw/{channel}`.
pub(crate) struct Raw {
    worker: Rc<Worker>,
    shared: Rc<Shared>,
    channel: Box<str>,
    /// Its place in the channel.
    key: usize,
}

impl Raw {
    pub(crate) fn new(opened: Opened, channel: String) -> Self {
        let worker = Rc::clone(&opened.worker);
        let shared = Rc::new(Shared::new(opened, &Arc::clone(&worker.settings.raw), Encoding::Raw));
        let key = worker.fanout.join(&channel, Rc::clone(&shared) as Rc<dyn Member>);
        Self { worker, shared, channel: channel.into(), key }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.worker.fanout.leave(&self.channel, self.key);
    }
}

impl Future for Raw {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { worker, shared, channel, .. } = &*self;
        if shared.seat().poll_draining(cx).is_ready() {
            close(shared.socket().connection_mut(), CloseCode::GOING_AWAY, "the server is shutting down");
        }
        if shared.is_overrun() {
            close(
                shared.socket().connection_mut(),
                CloseCode::TRY_AGAIN_LATER,
                "too slow: publications were lost",
            );
        }
        loop {
            ready!(worker.hub.poll_room(cx));
            let mut published = false;
            let turn = shared.socket().poll_turn(cx, &mut |_, event| {
                let payload = match event {
                    Event::Text(text) => Payload::Text(text.into()),
                    Event::Binary(bytes) => Payload::Binary(bytes.into()),
                    _ => return ControlFlow::Continue(()),
                };
                published = true;
                worker.fanout.publish(Publication::new(channel, payload, None));
                ControlFlow::Continue(())
            });
            if published {
                worker.fanout.deliver();
            }
            match turn {
                Poll::Ready(Turn::Done) => return Poll::Ready(()),
                Poll::Ready(Turn::Paused) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
