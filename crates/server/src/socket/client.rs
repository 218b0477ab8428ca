//! `/connection/websocket`: a client of the client protocol.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use antiphon_proto::{CloseCode, Connection, Event};
use antiphon_socket::Turn;

use super::shared::Shared;
use super::{Opened, close};
use crate::channels::{Encoding, Member, Payload, Publication};
use crate::config::Config;
use crate::protocol::{ClientInfo, Data, Disconnect, PING, decode, encode};
use crate::serve::Worker;
use crate::session::{Channels, Due, Session};

/// The task of one connection to `/connection/websocket`.
pub(crate) struct Client {
    here: Here,
    session: Session,
}

/// Where the client is: its worker, and its socket as a member of channels.
struct Here {
    worker: Rc<Worker>,
    shared: Rc<Shared>,
    /// Something was published in this turn.
    published: bool,
}

impl Client {
    /// # Errors
    /// When the operating system has no randomness to give.
    pub(crate) fn new(opened: Opened) -> Result<Self, getrandom::Error> {
        let mut seed = [0; 24];
        getrandom::fill(&mut seed)?;
        let worker = Rc::clone(&opened.worker);
        let session = Session::new(Instant::now(), &worker.settings.config.client, seed);
        let shared = Shared::new(opened, &Arc::clone(&worker.settings.client), Encoding::Json);
        Ok(Self { here: Here { worker, shared: Rc::new(shared), published: false }, session })
    }

    /// Does what is due.
    fn handle_deadline(&mut self, now: Instant) {
        let outcome = self.session.handle_deadline(now);
        let mut socket = self.here.shared.socket();
        let connection = socket.connection_mut();
        match outcome {
            Ok(Due::Nothing) => {}
            Ok(Due::Ping) => {
                // Where it cannot be sent the connection is about to end anyway.
                let _ = connection.send_text(PING);
            }
            Err(disconnect) => end(connection, disconnect),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Self { here, session } = self;
        session.end(here);
    }
}

impl Future for Client {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Rc::clone(&self.here.shared);
        let worker = Rc::clone(&self.here.worker);
        if shared.seat().poll_draining(cx).is_ready() {
            end(shared.socket().connection_mut(), Disconnect::Shutdown);
        }
        if shared.is_overrun() {
            end(shared.socket().connection_mut(), Disconnect::Slow);
        }
        loop {
            let now = Instant::now();
            if self.session.deadline() <= now && shared.socket().connection().is_open() {
                self.handle_deadline(now);
            }
            if shared.socket().connection().is_open() {
                shared.seat().register(cx, Some(self.session.deadline()));
            }
            ready!(worker.hub.poll_room(cx));
            let Self { here, session } = &mut *self;
            let turn = shared.socket().poll_turn(cx, &mut |connection, event| {
                let said = match &event {
                    Event::Text(text) => handle(session, here, now, connection, text),
                    Event::Binary(bytes) => str::from_utf8(bytes)
                        .map_err(|_| Disconnect::BadRequest)
                        .and_then(|text| handle(session, here, now, connection, text)),
                    _ => Ok(()),
                };
                if let Err(disconnect) = said {
                    end(connection, disconnect);
                }
                ControlFlow::Continue(())
            });
            if std::mem::take(&mut here.published) {
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

/// Takes the commands of one message, and answers them in one.
fn handle(
    session: &mut Session,
    here: &mut Here,
    now: Instant,
    connection: &mut Connection,
    message: &str,
) -> Result<(), Disconnect> {
    // After a disconnect the client may still send what it sent before it heard of it.
    if !connection.is_open() {
        return Ok(());
    }
    let worker = Rc::clone(&here.worker);
    let config: &Config = &worker.settings.config;
    let mut replies = String::new();
    let mut outcome = Ok(());
    let mut lines = message.lines().filter(|line| !line.trim().is_empty()).peekable();
    if lines.peek().is_none() {
        return Err(Disconnect::BadRequest);
    }
    for line in lines {
        let command = decode(line).map_err(|_| Disconnect::BadRequest);
        match command.and_then(|command| session.handle(now, config, command, here)) {
            Ok(Some(reply)) => encode(&reply, &mut replies),
            Ok(None) => {}
            Err(disconnect) => {
                outcome = Err(disconnect);
                break;
            }
        }
    }
    // What was done before a disconnect is answered.
    if !replies.is_empty() && connection.send_text(&replies).is_err() {
        return Err(Disconnect::Slow);
    }
    outcome
}

/// Ends the connection with a code of the client protocol.
fn end(connection: &mut Connection, disconnect: Disconnect) {
    close(connection, CloseCode::new(disconnect.code()), disconnect.reason());
}

impl Channels for Here {
    fn subscribe(&mut self, channel: &str) -> usize {
        self.worker.fanout.join(channel, Rc::clone(&self.shared) as Rc<dyn Member>)
    }

    fn unsubscribe(&mut self, channel: &str, key: usize) {
        self.worker.fanout.leave(channel, key);
    }

    fn publish(&mut self, channel: &str, data: Data<'_>, info: &Arc<ClientInfo>) {
        let payload = match data {
            Data::Json(text) => Payload::Json(text.into()),
            Data::Text(text) => Payload::Text(text.into()),
            Data::Binary(bytes) => Payload::Binary(bytes.into()),
        };
        self.worker.fanout.publish(Publication::new(channel, payload, Some(Arc::clone(info))));
        self.published = true;
    }
}
