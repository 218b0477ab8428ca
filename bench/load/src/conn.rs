//! One open connection.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};

use crate::deflate::Inflater;
use crate::frame::{self, CLOSE, FrameReader, Message, PING, PONG};

pub(crate) struct Conn {
    stream: TcpStream,
    pub reader: FrameReader,
    /// Present if permessage-deflate was agreed on.
    pub inflater: Option<Inflater>,
    queue: VecDeque<Rc<[u8]>>,
    /// How much of the first in the queue is sent.
    sent: usize,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream, inflater: Option<Inflater>) -> Self {
        Self { stream, reader: FrameReader::new(false), inflater, queue: VecDeque::new(), sent: 0 }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends `bytes`, now or as soon as the socket takes them.
    pub(crate) fn send(&mut self, bytes: Rc<[u8]>) -> Result<()> {
        self.queue.push_back(bytes);
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        while let Some(bytes) = self.queue.front() {
            match self.stream.write(&bytes[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e).context("sending to the server"),
            }
            if self.sent == bytes.len() {
                self.queue.pop_front();
                self.sent = 0;
            }
        }
        Ok(())
    }

    /// Reads all that is there and calls `on` for each data message. Answers pings.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut on: impl FnMut(Message<'_>, Option<&mut Inflater>) -> Result<()>,
    ) -> Result<()> {
        let mut pongs = Vec::new();
        loop {
            let n = match self.stream.read(buffer) {
                Ok(0) => bail!("the server ended a connection"),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e).context("reading from the server"),
            };
            self.reader.feed(&buffer[..n], |message| match (message.opcode, message.body) {
                (CLOSE, Some(body)) => bail!("the server closed a connection: {}", closing(body)),
                (PING, Some(body)) => {
                    pongs.extend(frame::encode(PONG, false, body));
                    Ok(())
                }
                (PONG, _) => Ok(()),
                _ => on(message, self.inflater.as_mut()),
            })?;
            // What comes later raises a new edge.
            if n < buffer.len() {
                break;
            }
        }
        if pongs.is_empty() { Ok(()) } else { self.send(pongs.into()) }
    }
}

fn closing(body: &[u8]) -> String {
    match body {
        [a, b, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*a, *b]), String::from_utf8_lossy(reason))
        }
        _ => "no status code".to_owned(),
    }
}

/// Messages that are sent together, and what has to come back for each, in order.
pub(crate) struct Burst {
    pub bytes: Rc<[u8]>,
    /// Whether the replies come under a mask.
    pub masked: bool,
    expected: Vec<Expected>,
}

struct Expected {
    opcode: u8,
    /// The payload as the application sees it.
    payload: Vec<u8>,
    /// The payload as it stands in the frame that was sent, before masking.
    wire: Vec<u8>,
    compressed: bool,
    /// A compressed reply that was inflated and found right; the same bytes need not be inflated again.
    proven: Vec<u8>,
}

impl Burst {
    /// One frame for each of `payloads`.
    pub(crate) fn new(opcode: u8, payloads: Vec<Vec<u8>>, compressed: bool) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut expected = Vec::with_capacity(payloads.len());
        for payload in payloads {
            let wire = if compressed { crate::deflate::compress(&payload)? } else { payload.clone() };
            bytes.extend(frame::encode(opcode, compressed, &wire));
            expected.push(Expected { opcode, payload, wire, compressed, proven: Vec::new() });
        }
        Ok(Self { bytes: bytes.into(), masked: false, expected })
    }

    /// For the raw floor, which sends back what it got, masks and all.
    pub(crate) fn unchanged(mut self) -> Self {
        self.masked = true;
        for one in &mut self.expected {
            one.wire = frame::mask(&one.wire);
        }
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.expected.len()
    }

    /// Bytes of payload before and after compression, of one burst's proven replies.
    pub(crate) fn compression(&self) -> Option<(usize, usize)> {
        let sum = |of: fn(&Expected) -> usize| self.expected.iter().map(of).sum();
        let wire = sum(|one| one.proven.len());
        (wire > 0).then(|| (sum(|one| one.payload.len()), wire))
    }

    /// Whether `reply` is the right one to message `nth`. Its contents are compared if it is there in one piece,
    /// else its length.
    pub(crate) fn check(
        &mut self,
        nth: usize,
        reply: &Message<'_>,
        inflater: Option<&mut Inflater>,
    ) -> Result<()> {
        let expected = self.expected.get_mut(nth).context("more replies than messages")?;
        ensure!(
            reply.opcode == expected.opcode,
            "a reply with opcode {}, not {}",
            reply.opcode,
            expected.opcode
        );
        if let (true, Some(inflater)) = (reply.compressed, inflater) {
            let body = reply.body.context("a compressed reply that was not kept")?;
            if inflater.takeover() || body != expected.proven {
                ensure!(
                    inflater.inflates_to(body, &expected.payload)?,
                    "a reply that inflates to something else"
                );
                expected.proven = body.to_vec();
            }
            return Ok(());
        }
        let unchanged = reply.compressed == expected.compressed;
        ensure!(unchanged || !reply.compressed, "a compressed reply where compression was not agreed on");
        let wanted = if unchanged { &expected.wire } else { &expected.payload };
        ensure!(reply.length == wanted.len(), "a reply of {} bytes, not {}", reply.length, wanted.len());
        ensure!(
            reply.body.is_none_or(|body| body == wanted),
            "a reply of the right length with other contents"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Kind;

    fn reply(burst: &mut Burst, compressed: bool, body: &[u8]) -> Result<()> {
        let mut inflater = Inflater::new(false);
        let message = Message { opcode: frame::TEXT, compressed, length: body.len(), body: Some(body) };
        burst.check(0, &message, compressed.then_some(&mut inflater))
    }

    #[test]
    fn a_wrong_reply_is_noticed() {
        let payload = Kind::Json.make(1024, 0);
        let mut wrong = payload.clone();
        wrong[77] ^= 1;
        let mut plain = Burst::new(frame::TEXT, vec![payload.clone()], false).expect("burst");
        reply(&mut plain, false, &payload).expect("right");
        assert!(reply(&mut plain, false, &wrong).is_err());
        assert!(reply(&mut plain, false, &payload[1..]).is_err());

        let deflated = crate::deflate::compress(&payload).expect("compresses");
        let mut burst = Burst::new(frame::TEXT, vec![payload.clone()], true).expect("burst");
        for _ in 0..2 {
            reply(&mut burst, true, &deflated).expect("right");
        }
        assert_eq!(burst.compression(), Some((1024, deflated.len())));
        assert!(reply(&mut burst, true, &crate::deflate::compress(&wrong).expect("compresses")).is_err());
        reply(&mut burst, false, &payload).expect("a server may send uncompressed");
    }
}
