//! The head of an HTTP/1.1 message: where it ends, and whether RFC 9112 allows it.

use super::field::{is_control, trim};
use super::token::{is_token, is_token_byte};
use super::violation::{Rule, Violation};

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, with the empty line that ends it. 16 KiB by default.
    pub bytes: usize,
    /// Header lines. 100 by default.
    pub headers: usize,
    /// Bytes of the request line or status line, without CR LF. 8 KiB by default.
    pub request_line: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024, headers: 100, request_line: 8 * 1024 }
    }
}

/// What a [`HeadScanner`] says of the bytes received so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The head goes on.
    Incomplete,
    /// The head is whole, and allowed.
    Complete {
        /// Its length in bytes, from the start of the buffer to the end of the empty line.
        len: usize,
    },
    /// No head that goes on like this is allowed. `Refusal::from` makes it a response.
    Refused(Violation),
}

/// Finds the end of a head in a growing buffer.
///
/// It looks at each byte once, however the bytes come in, and fails at the first that is wrong or too many. It owns no memory.
/// It knows HTTP/1 and nothing of WebSocket, so that it can stand before any HTTP server as a guard on the first head of a
/// connection. (A server that also speaks HTTP/2 on the same port looks for that protocol's preface first: it is no HTTP/1 head
/// and is refused here with 505.)
///
/// ```
/// use antiphon_proto::handshake::{HeadLimits, HeadScanner, Scan};
///
/// let mut scanner = HeadScanner::request(HeadLimits::default());
/// let mut buffer = b"GET / HTTP/1.1\r\nHost: a".to_vec();
/// assert_eq!(scanner.scan(&buffer), Scan::Incomplete);
/// buffer.extend(b"\r\n\r\nwhat follows");
/// assert_eq!(scanner.scan(&buffer), Scan::Complete { len: 27 });
/// ```
#[derive(Clone, Debug)]
pub struct HeadScanner {
    kind: Kind,
    limits: HeadLimits,
    state: State,
    /// Bytes that have been looked at.
    at: usize,
    /// Where the request line or status line starts.
    start: usize,
    headers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// What the bytes before `at` were; `Cr` is a CR whose LF must be next.
#[derive(Clone, Debug)]
enum State {
    Start { empty_lines: usize },
    EmptyLineCr { empty_lines: usize },
    StartLine,
    StartLineCr,
    LineStart,
    Name,
    Value,
    ValueCr,
    EndCr,
    Done,
    Refused(Box<Violation>),
}

impl HeadScanner {
    /// A scanner for the head of a request.
    pub const fn request(limits: HeadLimits) -> Self {
        Self::new(Kind::Request, limits)
    }

    /// A scanner for the head of a response.
    pub const fn response(limits: HeadLimits) -> Self {
        Self::new(Kind::Response, limits)
    }

    const fn new(kind: Kind, limits: HeadLimits) -> Self {
        Self { kind, limits, state: State::Start { empty_lines: 0 }, at: 0, start: 0, headers: 0 }
    }

    /// Looks at what is new in `buffer`, which starts with the bytes of the calls before.
    ///
    /// Once it has answered `Complete` or `Refused`, it answers the same again.
    pub fn scan(&mut self, buffer: &[u8]) -> Scan {
        for &byte in buffer.get(self.at..).unwrap_or_default() {
            match self.state {
                State::Done => return Scan::Complete { len: self.at },
                State::Refused(ref violation) => return Scan::Refused((**violation).clone()),
                _ => {}
            }
            if let Err(violation) = self.step(byte, buffer) {
                self.state = State::Refused(Box::new(violation));
                continue;
            }
            self.at += 1;
            if self.at >= self.limits.bytes && !matches!(self.state, State::Done) {
                let rule = if matches!(self.state, State::StartLine) && self.kind == Kind::Request {
                    Rule::RequestLineTooLong
                } else {
                    Rule::HeadTooLarge
                };
                self.state = State::Refused(Box::new(Violation::new(rule).limit(self.limits.bytes)));
            }
        }
        match &self.state {
            State::Done => Scan::Complete { len: self.at },
            State::Refused(violation) => Scan::Refused((**violation).clone()),
            _ => Scan::Incomplete,
        }
    }

    /// Whether nothing of a head has come: a connection that ends now has said nothing.
    pub const fn is_untouched(&self) -> bool {
        self.at == 0 && matches!(self.state, State::Start { .. })
    }

    fn step(&mut self, byte: u8, buffer: &[u8]) -> Result<(), Violation> {
        let wrong = |rule| Err(Violation::new(rule).byte(byte, self.at));
        self.state = match (&self.state, byte) {
            // One empty line is forgiven, as some clients of old send one after a body (RFC 9112 §2.2).
            (State::Start { empty_lines }, b'\r') => State::EmptyLineCr { empty_lines: *empty_lines },
            (State::EmptyLineCr { empty_lines: 0 }, b'\n') if self.kind == Kind::Request => {
                State::Start { empty_lines: 1 }
            }
            (State::EmptyLineCr { .. }, b'\n') => return wrong(Rule::LeadingEmptyLines),
            (State::StartLineCr | State::ValueCr, b'\n') => State::LineStart,
            (State::EndCr, b'\n') => State::Done,
            (State::EmptyLineCr { .. } | State::StartLineCr | State::ValueCr | State::EndCr, _) => {
                return wrong(Rule::BareCr);
            }
            (_, b'\n') => return wrong(Rule::BareLf),

            (State::StartLine, b'\r') => {
                self.start_line(buffer)?;
                State::StartLineCr
            }
            (State::Start { .. } | State::StartLine, _) => {
                if matches!(self.state, State::Start { .. }) {
                    self.start = self.at;
                }
                self.start_line_byte(byte)?;
                State::StartLine
            }

            (State::LineStart, b'\r') => State::EndCr,
            (State::LineStart, b' ' | b'\t') => return wrong(Rule::FoldedLine),
            (State::LineStart, b':') => return wrong(Rule::HeaderName),
            (State::LineStart, _) if self.headers >= self.limits.headers => {
                return Err(Violation::new(Rule::TooManyHeaders).limit(self.limits.headers));
            }
            (State::LineStart, _) if is_token_byte(byte) => {
                self.headers += 1;
                State::Name
            }
            (State::Name, b':') => State::Value,
            (State::Name, _) if is_token_byte(byte) => State::Name,
            (State::Name, b' ' | b'\t') => return wrong(Rule::SpaceBeforeColon),
            (State::Name, b'\r') => return wrong(Rule::HeaderName),

            (State::Value, b'\r') => State::ValueCr,
            // Bytes from 0x80 are obs-text, allowed and opaque (RFC 9110 §5.5).
            (State::Value, _) if !is_control(byte) => State::Value,
            (State::LineStart | State::Name, _) if !is_control(byte) => return wrong(Rule::HeaderName),
            (State::LineStart | State::Name | State::Value, _) => return wrong(Rule::ControlByte),
            // `scan` does not come here once it is done.
            (State::Done | State::Refused(_), _) => return Ok(()),
        };
        Ok(())
    }

    fn start_line_byte(&self, byte: u8) -> Result<(), Violation> {
        let (long, malformed) = match self.kind {
            Kind::Request => (Rule::RequestLineTooLong, Rule::RequestLine),
            Kind::Response => (Rule::HeadTooLarge, Rule::StatusLine),
        };
        if self.at - self.start >= self.limits.request_line {
            return Err(Violation::new(long).limit(self.limits.request_line));
        }
        // A status line's phrase may have tabs and obs-text, a request line may not (RFC 9112 §3 and §4).
        let allowed = byte == b' ' || byte.is_ascii_graphic();
        match self.kind {
            _ if allowed => Ok(()),
            Kind::Response if byte >= 0x80 || byte == b'\t' => Ok(()),
            _ if is_control(byte) => Err(Violation::new(Rule::ControlByte).byte(byte, self.at)),
            _ => Err(Violation::new(malformed).byte(byte, self.at)),
        }
    }

    fn start_line(&self, buffer: &[u8]) -> Result<(), Violation> {
        let line = buffer.get(self.start..self.at).unwrap_or_default();
        match self.kind {
            Kind::Request => RequestLine::parse(line).map(drop),
            Kind::Response => StatusLine::parse(line).map(drop),
        }
    }
}

/// The first line of a request: `GET /chat HTTP/1.1` (RFC 9112 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The method, a token.
    pub method: &'a str,
    /// The target as it was sent: visible ASCII without `#`, not empty.
    pub target: &'a str,
    /// The digit after `HTTP/1.`.
    pub minor: u8,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Violation> {
        let malformed = || Violation::new(Rule::RequestLine).found(line);
        let mut parts = line.split(|&b| b == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        if !is_token(method) || target.is_empty() {
            return Err(malformed());
        }
        let minor = minor_version(version).ok_or_else(malformed)??;
        if target.contains(&b'#') {
            return Err(Violation::new(Rule::Target).found(target));
        }
        // Both are ASCII: a token, and what `start_line_byte` has let through.
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| malformed());
        Ok(Self { method: text(method)?, target: text(target)?, minor })
    }
}

/// The first line of a response: `HTTP/1.1 101 Switching Protocols` (RFC 9112 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLine<'a> {
    /// The digit after `HTTP/1.`.
    pub minor: u8,
    /// The status, three digits.
    pub status: u16,
    /// The phrase, for people; any bytes but control bytes.
    pub phrase: &'a [u8],
}

impl<'a> StatusLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Violation> {
        let malformed = || Violation::new(Rule::StatusLine).found(line);
        let mut parts = line.splitn(3, |&b| b == b' ');
        let (Some(version), Some(status)) = (parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let minor = minor_version(version).ok_or_else(malformed)??;
        let &[hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = status else {
            return Err(malformed());
        };
        let status = [hundreds, tens, ones].iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
        // Servers that have no phrase often leave out the space before it, too; nothing hangs on that.
        Ok(Self { minor, status, phrase: parts.next().unwrap_or_default() })
    }
}

/// `None` if it is no version, and the breach of a rule if it is none of HTTP/1 (RFC 9112 §2.3).
fn minor_version(version: &[u8]) -> Option<Result<u8, Violation>> {
    match version {
        b"HTTP/1.0" => Some(Ok(0)),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'1'..=b'9'] => Some(Ok(minor - b'0')),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Some(Err(Violation::new(Rule::HttpMajor).found(version)))
        }
        _ => None,
    }
}

/// The header lines of a head, in their order: names as they were sent, values without the space around them.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = split_line(self.rest)?;
        self.rest = rest;
        let colon = line.iter().position(|&b| b == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((std::str::from_utf8(name).ok()?, trim(value.get(1..)?)))
    }
}

/// A head that a [`HeadScanner`] has found complete, and the bytes of nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// A head that was not scanned, but put together of what is allowed in one.
    pub(crate) const fn from_checked(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn request_line(&self) -> Result<RequestLine<'_>, Violation> {
        RequestLine::parse(self.lines().0)
    }

    pub(crate) fn status_line(&self) -> Result<StatusLine<'_>, Violation> {
        StatusLine::parse(self.lines().0)
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers { rest: self.lines().1 }
    }

    /// The start line, and the header lines with the empty line.
    fn lines(&self) -> (&[u8], &[u8]) {
        let bytes = self.0.strip_prefix(b"\r\n").unwrap_or(&self.0);
        split_line(bytes).unwrap_or_default()
    }
}

/// The first line without its CR LF, and what follows. A CR ends a line, as the scanner lets it stand nowhere else.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(bytes.iter().position(|&b| b == b'\r')?)?;
    Some((line, rest.get(2..)?))
}

/// Gathers a head from reads of any size, and no more bytes than the limits allow.
#[derive(Clone, Debug)]
pub(crate) struct HeadBuffer {
    bytes: Vec<u8>,
    scanner: HeadScanner,
}

impl HeadBuffer {
    pub(crate) const fn new(scanner: HeadScanner) -> Self {
        Self { bytes: Vec::new(), scanner }
    }

    pub(crate) const fn scanner(&self) -> &HeadScanner {
        &self.scanner
    }

    /// Takes what belongs to the head; the head and how many bytes that was, once it is whole.
    pub(crate) fn receive(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, Violation> {
        let before = self.bytes.len();
        // At least one, as the scanner refuses at a byte.
        let room = self.scanner.limits.bytes.max(1).saturating_sub(before);
        self.bytes.extend_from_slice(input.get(..room).unwrap_or(input));
        match self.scanner.scan(&self.bytes) {
            Scan::Incomplete => Ok(None),
            Scan::Refused(violation) => Err(violation),
            Scan::Complete { len } => {
                self.bytes.truncate(len);
                self.scanner = HeadScanner::new(self.scanner.kind, self.scanner.limits);
                Ok(Some((Head(std::mem::take(&mut self.bytes)), len.saturating_sub(before))))
            }
        }
    }
}
