//! The client protocol, as far as a measurement speaks it.

use std::ops::ControlFlow;

use antiphon_hub::protocol::{Command, Reply, SubscribeRequest};
use antiphon_proto::{Connection, Event};
use antiphon_socket::Turn;

use super::open::Socket;
use crate::client::{PONG, connect_command, connected, replies, text_of};

/// The id of `subscribe`; that of `connect` is 1.
const SUBSCRIBE: u32 = 2;

/// What has come, as far as a measurement looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The answer to the command with this id.
    Reply(u32),
    /// A ping. It has been answered, if it wanted an answer.
    Ping,
    /// A push that changes nothing.
    Other,
}

/// One client's side of a conversation.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    /// Pings want an answer.
    pong: bool,
}

impl Speaker {
    /// The commands that begin: `connect`, and `subscribe` where there is a channel.
    pub(super) fn begin(token: Option<&str>, channel: Option<&str>) -> String {
        let subscribe = channel.map(|channel| {
            let request = SubscribeRequest { channel: channel.to_owned(), ..SubscribeRequest::default() };
            Command { id: SUBSCRIBE, subscribe: Some(request.into()), ..Command::default() }
        });
        let commands: Vec<_> = [connect_command(token)].into_iter().chain(subscribe).collect();
        text_of(&commands)
    }

    /// Takes a message, and answers it where it wants an answer.
    ///
    /// # Errors
    /// When the server refuses a command, ends the subscription or the connection, or speaks otherwise.
    pub(super) fn hear(
        &mut self,
        text: &str,
        connection: &mut Connection,
        mut heard: impl FnMut(Heard),
    ) -> Result<(), String> {
        for reply in replies(text) {
            let what = self.take(reply?)?;
            if what == Heard::Ping && self.pong {
                connection.send_text(PONG).map_err(|e| e.to_string())?;
            }
            heard(what);
        }
        Ok(())
    }

    fn take(&mut self, reply: Reply) -> Result<Heard, String> {
        let Reply { id, error, push, connect, .. } = reply;
        if let Some(error) = error {
            return Err(format!("error {}: {}", error.code, error.message));
        }
        if id == 1 {
            self.pong = connected(connect)?.pong;
        }
        match push {
            None if id == 0 => Ok(Heard::Ping),
            None => Ok(Heard::Reply(id)),
            Some(push) => {
                if let Some(ended) = push.unsubscribe {
                    return Err(format!("unsubscribed by the server: {} {}", ended.code, ended.reason));
                }
                if let Some(ended) = push.disconnect {
                    return Err(format!("disconnected by the server: {} {}", ended.code, ended.reason));
                }
                Ok(Heard::Other)
            }
        }
    }

    /// Sends the commands that begin, and waits for the answer to the last of them.
    ///
    /// # Errors
    /// When the server refuses one, or the connection ends.
    pub(super) async fn introduce(
        &mut self,
        socket: &mut Socket,
        token: Option<&str>,
        channel: Option<&str>,
    ) -> Result<(), String> {
        let last = if channel.is_some() { SUBSCRIBE } else { 1 };
        socket.connection_mut().send_text(&Self::begin(token, channel)).map_err(|e| e.to_string())?;
        let mut answered = false;
        self.listen(socket, |heard| {
            answered |= heard == Heard::Reply(last);
            if answered { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await
    }

    /// Takes what comes until `handler` breaks off.
    ///
    /// # Errors
    /// When the connection ends or cannot go on.
    pub(super) async fn listen(
        &mut self,
        socket: &mut Socket,
        mut handler: impl FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let mut outcome = Ok(());
        let turn = std::future::poll_fn(|cx| {
            socket.poll_turn(cx, &mut |connection, event| {
                let Event::Text(text) = event else { return ControlFlow::Continue(()) };
                let mut flow = ControlFlow::Continue(());
                outcome = self.hear(&text, connection, |heard| {
                    if handler(heard).is_break() {
                        flow = ControlFlow::Break(());
                    }
                });
                if outcome.is_err() { ControlFlow::Break(()) } else { flow }
            })
        })
        .await;
        match (outcome, turn) {
            (Err(cause), _) => Err(cause),
            (Ok(()), Turn::Paused) => Ok(()),
            (Ok(()), Turn::Done) => Err(end_of(socket)),
        }
    }
}

/// How a connection ended.
pub(super) fn end_of(socket: &Socket) -> String {
    socket.end().map_or_else(|| "the connection ended".to_owned(), |end| end.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(line: &str) -> Result<Heard, String> {
        Speaker::default().take(replies(line).next().unwrap().unwrap())
    }

    #[test]
    fn what_ends_a_measurement_is_told_from_what_does_not() {
        for (line, expected) in [
            ("{}", Ok(Heard::Ping)),
            (r#"{"id":7,"publish":{}}"#, Ok(Heard::Reply(7))),
            (r#"{"push":{"channel":"a","pub":{"data":1}}}"#, Ok(Heard::Other)),
            (
                r#"{"id":2,"error":{"code":103,"message":"permission denied"}}"#,
                Err("error 103: permission denied"),
            ),
            (
                r#"{"push":{"channel":"a","unsubscribe":{"code":2500,"reason":"r"}}}"#,
                Err("unsubscribed by the server: 2500 r"),
            ),
            (
                r#"{"push":{"disconnect":{"code":3001,"reason":"r"}}}"#,
                Err("disconnected by the server: 3001 r"),
            ),
        ] {
            assert_eq!(take(line), expected.map_err(str::to_owned), "{line}");
        }
    }

    #[test]
    fn a_subscriber_begins_with_two_commands() {
        let begin = Speaker::begin(Some("t"), Some("c"));
        let (connect, subscribe) = begin.split_once('\n').unwrap();
        assert!(connect.starts_with(r#"{"id":1,"connect":{"token":"t","#), "{connect}");
        assert_eq!(subscribe, r#"{"id":2,"subscribe":{"channel":"c"}}"#);
        assert!(!Speaker::begin(None, None).contains('\n'));
    }
}
