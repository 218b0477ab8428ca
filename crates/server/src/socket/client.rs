//! `/connection/websocket`: a client of the client protocol.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use antiphon_hub::protocol::{Disconnect, Encoding};
use antiphon_hub::{Control, Member, Origin, Said, Session};
use antiphon_proto::{CloseCode, Event, Kind, Prepared, SendError};
use antiphon_socket::Turn;
use bytes::Bytes;

use super::shared::Shared;
use super::{Opened, close};
use crate::serve::Worker;

/// So many bytes of commands are taken from one turn; the rest is read when they are done.
const TURN_BYTES: usize = 64 * 1024;

/// The task of one connection to `/connection/websocket`.
pub(crate) struct Client {
    worker: Rc<Worker>,
    line: Rc<Line>,
    /// What the session is at. Nothing is read meanwhile.
    work: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// The connection, as a member of channels.
struct Line {
    shared: Shared,
    session: Rc<Session>,
    kind: Kind,
}

impl Client {
    /// # Errors
    /// When the operating system has no randomness to give.
    pub(crate) fn new(opened: Opened, origin: Origin) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 24];
        getrandom::fill(&mut seed)?;
        let worker = Rc::clone(&opened.worker);
        let kind = match origin.encoding {
            Encoding::Json => Kind::Text,
            Encoding::Protobuf => Kind::Binary,
        };
        let shared = Shared::new(opened, &worker.settings().client);
        let line = Rc::new_cyclic(|line: &Weak<Line>| {
            let (node, local) = (Arc::clone(&worker.node), Rc::clone(&worker.local));
            let line = Weak::clone(line) as Weak<dyn Member>;
            let session = Session::new(node, local, line, origin, Instant::now(), seed);
            Line { shared, session: Rc::new(session), kind }
        });
        Ok(Self { worker, line, work: None })
    }

    /// Carries out what there is to do, as far as that goes now.
    fn poll_work(&mut self, cx: &mut Context<'_>, now: Instant) {
        let session = &self.line.session;
        loop {
            if session.is_ended() {
                self.work = None;
                return;
            }
            if self.work.is_none() {
                if !session.has_work() {
                    return;
                }
                self.work = Some(Box::pin(Rc::clone(session).work(now)));
            }
            match self.work.as_mut().map(|work| work.as_mut().poll(cx)) {
                Some(Poll::Pending) => return,
                _ => self.work = None,
            }
        }
    }
}

impl Line {
    /// Sends what the session has to say.
    fn say(&self) {
        self.session.drain(&mut |said| {
            let mut socket = self.shared.socket();
            let connection = socket.connection_mut();
            match said {
                Said::Message(message) => {
                    // Where it cannot be sent because the connection is closing, nobody waits for it.
                    if let Err(SendError::OutboxFull { .. }) = connection.send_bytes(self.kind, message) {
                        drop(socket);
                        self.shared.overrun();
                    }
                }
                Said::End(disconnect) => {
                    close(connection, CloseCode::new(code(&disconnect)), &disconnect.reason)
                }
            }
        });
    }
}

/// The code of a Close frame. Whatever an application says, it is one that a client of the protocol knows what to do about.
fn code(disconnect: &Disconnect) -> u16 {
    u16::try_from(disconnect.code).ok().filter(|code| (3000..5000).contains(code)).unwrap_or(3000)
}

impl Drop for Client {
    fn drop(&mut self) {
        self.work = None;
        self.line.session.end(Disconnect::CONNECTION_CLOSED);
    }
}

impl Future for Client {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (line, worker) = (Rc::clone(&self.line), Rc::clone(&self.worker));
        let Line { shared, session, .. } = &*line;
        loop {
            let now = Instant::now();
            if shared.seat().poll_draining(cx).is_ready() {
                session.end(Disconnect::SHUTDOWN);
            }
            if shared.is_overrun() {
                session.end(Disconnect::SLOW);
            }
            if session.deadline().is_some_and(|deadline| deadline <= now) {
                session.handle_deadline(now, self.work.is_none());
            }
            ready!(worker.node.hub().poll_room(cx));
            self.poll_work(cx, now);
            line.say();
            // What was published comes after the answers.
            worker.local.deliver();
            if let (false, Some(deadline)) = (session.is_ended(), session.deadline()) {
                shared.seat().register(cx, Some(deadline));
            }
            if shared.is_overrun() && !session.is_ended() {
                continue;
            }
            let mut taken = 0;
            let is_busy = self.work.is_some();
            let turn = if is_busy {
                // Only what waits is written: who waits for the backend sends no more meanwhile.
                ready!(shared.socket().poll_written(cx));
                return Poll::Pending;
            } else {
                shared.socket().poll_turn(cx, &mut |_, event| {
                    let message = match event {
                        Event::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                        Event::Binary(bytes) => Bytes::copy_from_slice(&bytes),
                        _ => return ControlFlow::Continue(()),
                    };
                    taken += message.len();
                    session.receive(message);
                    if taken < TURN_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })
            };
            match turn {
                Poll::Ready(Turn::Done) => return Poll::Ready(()),
                Poll::Ready(Turn::Paused) => {}
                Poll::Pending if session.has_work() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Member for Line {
    fn queue(&self, frame: &Prepared) -> bool {
        self.shared.queue(frame)
    }

    fn flush(&self) {
        self.shared.flush();
    }

    fn lost(&self, channel: &str) {
        self.session.lost(channel);
        self.shared.wake();
    }

    fn order(&self, control: &Arc<Control>) {
        self.session.order(control);
        self.shared.wake();
    }
}
