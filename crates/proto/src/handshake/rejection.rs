//! A response that opens no WebSocket, and the gathering of its body.

use std::fmt;

use super::head::{Head, Headers};
use super::token::lists;
use super::violation::excerpt;

/// A server's answer that is not a 101, or a 2xx to extended CONNECT: it may want credentials, redirect, or have nothing to connect to (§4.1).
#[derive(Clone, Debug)]
pub struct Rejection {
    status: u16,
    head: Head,
    body: Vec<u8>,
    truncated: bool,
    /// What would have opened one.
    wanted: &'static str,
}

impl Rejection {
    /// The status of the response.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// All headers in their order: names as they were sent, values as bytes without the space around them.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What has come of the body, without the framing of chunks, up to the request's limit.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the body goes on beyond what was kept.
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {} instead of {}", self.status, self.wanted)?;
        if let Some(location) = self.header("location") {
            write!(f, "; it points to {}", excerpt(location))?;
        }
        if self.body.is_empty() { Ok(()) } else { write!(f, "; it says {}", excerpt(self.body.trim_ascii())) }
    }
}

/// A rejection whose body is still coming.
#[derive(Debug)]
pub(crate) struct Gathering {
    rejection: Rejection,
    framing: Framing,
    limit: usize,
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug)]
enum Framing {
    Ended,
    Length(u64),
    Chunked(Chunk),
    UntilEof,
}

/// Where in the chunked coding the next byte is (RFC 9112 §7.1).
#[derive(Debug)]
enum Chunk {
    Size { value: u64, digits: u8 },
    Extension { value: u64 },
    Data { left: u64 },
    DataEnd,
}

impl Gathering {
    pub(crate) fn new(status: u16, head: Head, limit: usize) -> Self {
        let framing = framing(status, &head);
        let rejection = Rejection { status, head, body: Vec::new(), truncated: false, wanted: "101" };
        Self { rejection, framing, limit }
    }

    /// The same over HTTP/2, where the stream's end is the body's.
    pub(crate) const fn until_eof(status: u16, head: Head, limit: usize) -> Self {
        let rejection = Rejection { status, head, body: Vec::new(), truncated: false, wanted: "a 2xx" };
        Self { rejection, framing: Framing::UntilEof, limit }
    }

    /// Takes a part of the body; whether the rejection is whole, or as much of it as is wanted.
    pub(crate) fn receive(&mut self, mut input: &[u8]) -> bool {
        while !matches!(self.framing, Framing::Ended) && !self.rejection.truncated {
            let Some((&byte, rest)) = input.split_first() else {
                return false;
            };
            match &mut self.framing {
                Framing::Ended => {}
                Framing::UntilEof => {
                    self.keep(input);
                    input = &[];
                }
                Framing::Length(left) => {
                    let (data, rest) = split(input, *left);
                    *left = left.saturating_sub(data.len() as u64);
                    if *left == 0 {
                        self.framing = Framing::Ended;
                    }
                    self.keep(data);
                    input = rest;
                }
                Framing::Chunked(Chunk::Data { left }) => {
                    let (data, rest) = split(input, *left);
                    *left = left.saturating_sub(data.len() as u64);
                    if *left == 0 {
                        self.framing = Framing::Chunked(Chunk::DataEnd);
                    }
                    self.keep(data);
                    input = rest;
                }
                Framing::Chunked(chunk) => {
                    match chunk.step(byte) {
                        Some(true) => {}
                        Some(false) => self.framing = Framing::Ended,
                        // What cannot be read is left; the status is what counts.
                        None => self.rejection.truncated = true,
                    }
                    input = rest;
                }
            }
        }
        true
    }

    pub(crate) fn into_rejection(mut self, ended: bool) -> Rejection {
        let whole = match self.framing {
            Framing::Ended => true,
            Framing::UntilEof => ended,
            Framing::Length(_) | Framing::Chunked(_) => false,
        };
        self.rejection.truncated |= !whole;
        self.rejection
    }

    fn keep(&mut self, data: &[u8]) {
        let room = self.limit.saturating_sub(self.rejection.body.len());
        self.rejection.truncated = data.len() > room;
        self.rejection.body.extend_from_slice(data.get(..room).unwrap_or(data));
    }
}

impl Chunk {
    /// The next byte outside of a chunk's data. `Some(false)` is the end of the body, `None` no chunked coding at all.
    fn step(&mut self, byte: u8) -> Option<bool> {
        *self = match (&*self, byte) {
            (Self::Size { digits: 1.., value } | Self::Extension { value }, b'\n') => match *value {
                // Trailers may follow, which nobody needs.
                0 => return Some(false),
                left => Self::Data { left },
            },
            (Self::Size { digits: 1.., value }, b';' | b' ' | b'\t' | b'\r')
            | (Self::Extension { value }, _) => Self::Extension { value: *value },
            (Self::Size { value, digits: digits @ ..16 }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size { value: 0, digits: 0 },
            _ => return None,
        };
        Some(true)
    }
}

/// Splits off as many bytes as are wanted and there.
fn split(input: &[u8], wanted: u64) -> (&[u8], &[u8]) {
    let at = usize::try_from(wanted).unwrap_or(usize::MAX).min(input.len());
    input.split_at_checked(at).unwrap_or((input, &[]))
}

fn framing(status: u16, head: &Head) -> Framing {
    // RFC 9112 §6.3, items 1, 4 and 6.
    if matches!(status, 100..=199 | 204 | 304) {
        return Framing::Ended;
    }
    let values = |wanted: &'static str| {
        head.headers().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    if values("transfer-encoding").any(|value| lists(value, "chunked")) {
        return Framing::Chunked(Chunk::Size { value: 0, digits: 0 });
    }
    match values("content-length").next().map(|value| str::from_utf8(value).map(str::parse)) {
        Some(Ok(Ok(0))) => Framing::Ended,
        Some(Ok(Ok(length))) => Framing::Length(length),
        _ => Framing::UntilEof,
    }
}
