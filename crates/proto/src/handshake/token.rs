//! Lists of tokens and of extensions (RFC 9110 §5.6, RFC 6455 §9.1).
//!
//! Every function here looks at each byte a bounded number of times and allocates nothing that a peer can make large.

use std::borrow::Cow;

use super::field::trim;

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether the bytes are a token: not empty, and of token bytes only.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// The members of a comma-separated list without quoted strings. Empty ones are left out (RFC 9110 §5.6.1.2).
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim).filter(|member| !member.is_empty())
}

/// Whether a list has a member, ASCII case-insensitively. `websocket/13` and `websocketx` are not `websocket`.
pub(crate) fn lists(value: &[u8], member: &str) -> bool {
    members(value).any(|m| m.eq_ignore_ascii_case(member.as_bytes()))
}

/// The extensions in the value of one `Sec-WebSocket-Extensions` header.
///
/// Yields `Err(Malformed)` once, last, where the grammar of §9.1 ends.
#[derive(Clone, Debug)]
pub(crate) struct Extensions<'a> {
    rest: Cursor<'a>,
    failed: bool,
}

/// The value of a header is not a list of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Extensions<'a> {
    /// Reads the value of one header line.
    pub(crate) const fn new(value: &'a [u8]) -> Self {
        Self { rest: Cursor { bytes: value }, failed: false }
    }

    fn extension(&mut self) -> Result<Option<Extension<'a>>, Malformed> {
        // Empty members are skipped.
        while self.rest.skip_space().eat(b',') {}
        if self.rest.bytes.is_empty() {
            return Ok(None);
        }
        let name = self.rest.token().ok_or(Malformed)?;
        let params = self.rest.clone();
        let mut reader = ExtensionParams { rest: self.rest.clone() };
        while reader.read()?.is_some() {}
        self.rest = reader.rest;
        if self.rest.bytes.is_empty() || self.rest.eat(b',') {
            Ok(Some(Extension { name, params: ExtensionParams { rest: params } }))
        } else {
            Err(Malformed)
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let extension = self.extension().transpose();
        self.failed = matches!(extension, Some(Err(_)));
        extension
    }
}

/// An extension as it is offered or chosen: a name and parameters (§9.1).
#[derive(Clone, Debug)]
pub struct Extension<'a> {
    name: &'a str,
    params: ExtensionParams<'a>,
}

impl<'a> Extension<'a> {
    /// The extension's name, a token.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Its parameters in their order: names, and values if they have one.
    pub fn params(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut params = self.params.clone();
        // What does not parse never became an `Extension`.
        std::iter::from_fn(move || params.read().unwrap_or_default())
    }
}

/// A parameter's name, and its value if it has one.
type Param<'a> = (&'a str, Option<Cow<'a, str>>);

/// Parameters, and what follows them: the end or the comma of the list.
#[derive(Clone, Debug)]
struct ExtensionParams<'a> {
    rest: Cursor<'a>,
}

impl<'a> ExtensionParams<'a> {
    /// The next `; name`, `; name=token` or `; name="token"`, with space wherever RFC 2616's implied LWS allows it.
    fn read(&mut self) -> Result<Option<Param<'a>>, Malformed> {
        if !self.rest.skip_space().eat(b';') {
            return Ok(None);
        }
        let name = self.rest.skip_space().token().ok_or(Malformed)?;
        if !self.rest.skip_space().eat(b'=') {
            return Ok(Some((name, None)));
        }
        let value = if self.rest.skip_space().eat(b'"') {
            self.rest.quoted_token()
        } else {
            self.rest.token().map(Cow::Borrowed)
        };
        Ok(Some((name, Some(value.ok_or(Malformed)?))))
    }
}

#[derive(Clone, Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) -> &mut Self {
        while let [b' ' | b'\t', rest @ ..] = self.bytes {
            self.bytes = rest;
        }
        self
    }

    const fn eat(&mut self, byte: u8) -> bool {
        match self.bytes {
            [first, rest @ ..] if *first == byte => {
                self.bytes = rest;
                true
            }
            _ => false,
        }
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.bytes.iter().position(|&b| !is_token_byte(b)).unwrap_or(self.bytes.len());
        let (token, rest) = self.bytes.split_at_checked(end)?;
        self.bytes = rest;
        if token.is_empty() { None } else { std::str::from_utf8(token).ok() }
    }

    /// The rest of a quoted string whose first quote is eaten. Unescaped, it must be a token (§9.1).
    fn quoted_token(&mut self) -> Option<Cow<'a, str>> {
        let start = self.bytes;
        let plain = self.token();
        if self.eat(b'"') {
            return plain.map(Cow::Borrowed);
        }
        // Read again, with the escapes this time.
        self.bytes = start;
        let mut unescaped = String::new();
        loop {
            let byte = match self.bytes {
                [b'"', rest @ ..] => {
                    self.bytes = rest;
                    return (!unescaped.is_empty()).then_some(Cow::Owned(unescaped));
                }
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                    self.bytes = rest;
                    *byte
                }
                [] => return None,
            };
            if !is_token_byte(byte) {
                return None;
            }
            unescaped.push(char::from(byte));
        }
    }
}
