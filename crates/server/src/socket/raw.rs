//! `/raw/{channel}`: each message is published to the channel, each publication arrives as a message.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_hub::data::Data;
use antiphon_hub::engine::{EngineError, Publish, Published};
use antiphon_hub::{Control, Deferred, Member, RawMembership};
use antiphon_proto::{CloseCode, Event, Prepared};
use antiphon_socket::Turn;
use bytes::Bytes;
use tracing::field::display;

use super::shared::Shared;
use super::{Opened, close};
use crate::serve::Worker;

/// So many bytes of messages are taken from one turn; the rest is read when they are published.
const TURN_BYTES: usize = 64 * 1024;

/// The task of one connection to `/raw/{channel}`.
pub(crate) struct Raw {
    worker: Rc<Worker>,
    line: Rc<Line>,
    channel: Box<str>,
    /// What has come and is not published yet.
    messages: VecDeque<Data>,
    /// A publication under way.
    publishing: Option<Deferred<Result<Published, EngineError>>>,
    /// The log has that the peer is too slow.
    is_slow: bool,
    _membership: RawMembership,
}

/// The connection, as a member of its channel.
struct Line(Shared);

impl Raw {
    pub(crate) fn new(opened: Opened, channel: String) -> Self {
        let worker = Rc::clone(&opened.worker);
        let line = Rc::new(Line(Shared::new(opened, &worker.settings().raw)));
        let membership =
            RawMembership::new(&worker.local, &worker.node, &channel, Rc::clone(&line) as Rc<dyn Member>);
        let (messages, publishing) = (VecDeque::new(), None);
        Self {
            worker,
            line,
            channel: channel.into(),
            messages,
            publishing,
            is_slow: false,
            _membership: membership,
        }
    }

    /// Publishes what has come, in its order. Ready when nothing is left.
    fn poll_publish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), (CloseCode, &'static str)>> {
        loop {
            if let Some(publishing) = &mut self.publishing {
                let outcome = ready!(Pin::new(publishing).poll(cx));
                self.publishing = None;
                if let Err(error) = outcome {
                    let remote = self.line.0.remote().map(display);
                    tracing::error!(remote, channel = &*self.channel, %error, "a publication failed");
                    return Poll::Ready(Err((CloseCode::INTERNAL_ERROR, "the publication failed")));
                }
            }
            let Some(data) = self.messages.pop_front() else { return Poll::Ready(Ok(())) };
            let rules = self.worker.node.rules();
            let Ok(channel) = rules.channel(&self.channel) else {
                return Poll::Ready(Err((CloseCode::POLICY_VIOLATION, "the channel is not there any more")));
            };
            let Ok(data) = channel.rules.check(data) else {
                return Poll::Ready(Err((CloseCode::POLICY_VIOLATION, "the channel takes no such data")));
            };
            let publish = Publish {
                data,
                info: None,
                tags: BTreeMap::new(),
                keep: channel.rules.keep,
                delta: channel.rules.options.delta_publish,
                idempotency: None,
                version: None,
            };
            self.publishing = Some(self.worker.node.publish(&self.channel, publish));
        }
    }
}

impl Future for Raw {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (line, worker) = (Rc::clone(&self.line), Rc::clone(&self.worker));
        let Line(shared) = &*line;
        loop {
            if shared.seat().poll_draining(cx).is_ready() {
                close(shared.socket().connection_mut(), CloseCode::GOING_AWAY, "the server is shutting down");
            }
            if shared.is_overrun() {
                if !mem::replace(&mut self.is_slow, true) {
                    let remote = shared.remote().map(display);
                    tracing::info!(remote, channel = &*self.channel, "a raw connection ended: slow");
                }
                let reason = "too slow: publications were lost";
                close(shared.socket().connection_mut(), CloseCode::TRY_AGAIN_LATER, reason);
            }
            ready!(worker.node.hub().poll_room(cx));
            let published = self.poll_publish(cx);
            worker.local.deliver();
            match published {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err((code, reason))) => {
                    self.messages.clear();
                    close(shared.socket().connection_mut(), code, reason);
                }
                Poll::Pending => {
                    ready!(shared.socket().poll_written(cx));
                    return Poll::Pending;
                }
            }
            let mut taken = 0;
            let messages = &mut self.messages;
            let turn = shared.socket().poll_turn(cx, &mut |_, event| {
                let data = match event {
                    Event::Text(text) => Data::Text(Bytes::copy_from_slice(text.as_bytes())),
                    Event::Binary(bytes) => Data::Binary(Bytes::copy_from_slice(&bytes)),
                    _ => return ControlFlow::Continue(()),
                };
                taken += data.bytes().len();
                messages.push_back(data);
                if taken < TURN_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            match turn {
                Poll::Ready(Turn::Done) => return Poll::Ready(()),
                Poll::Ready(Turn::Paused) => {}
                Poll::Pending if !self.messages.is_empty() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Member for Line {
    fn queue(&self, frame: &Prepared) -> bool {
        self.0.queue(frame)
    }

    fn flush(&self) {
        self.0.flush();
    }

    fn lost(&self, _: &str) {
        self.0.overrun();
    }

    /// Orders are for clients that have said who they are.
    fn order(&self, _: &Arc<Control>) {}
}
