//! The rules of a handshake, and the breach of one.

use std::fmt;

/// Declares [`Rule`] from its table: the sentence is the doc and the `Display`.
macro_rules! rules {
    ($($name:ident $status:literal $section:literal $sentence:literal;)*) => {
        /// A rule of the handshake, with the status that refuses a request which breaks it, its section, and its sentence.
        ///
        /// A response cannot be refused; the rules for one have 502, which is what a gateway makes of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!($sentence, " (", $section, ").")] $name,)*
        }

        impl Rule {
            /// Every rule, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            const fn row(self) -> (u16, &'static str, &'static str) {
                match self { $(Self::$name => ($status, $section, $sentence),)* }
            }
        }
    };
}

rules! {
    // Heads, of requests and of responses.
    LeadingEmptyLines 400 "RFC 9112 §2.2" "At most one empty line may come before the request line";
    BareCr 400 "RFC 9112 §2.2" "A line ends with CR LF, and a CR stands nowhere else";
    BareLf 400 "RFC 9112 §2.2" "A line ends with CR LF, and an LF stands nowhere else";
    ControlByte 400 "RFC 9110 §5.5" "A head has no control bytes other than CR LF and tabs in values";
    RequestLine 400 "RFC 9112 §3" "A request line is method, space, target, space and version, as in `GET /chat HTTP/1.1`";
    RequestLineTooLong 414 "RFC 9110 §15.5.15" "The request line is longer than this server reads";
    StatusLine 502 "RFC 9112 §4" "A status line is version, space, three digits, space and a phrase, as in `HTTP/1.1 101 Switching Protocols`";
    Target 400 "RFC 9112 §3.2" "A request target is visible ASCII without a fragment: percent-encode other bytes";
    HttpMajor 505 "RFC 9110 §15.6.6" "The version in an HTTP/1 head is HTTP/1.0 or HTTP/1.1";
    FoldedLine 400 "RFC 9112 §5.2" "A header may not go on in the next line";
    SpaceBeforeColon 400 "RFC 9112 §5.1" "No space may stand between a header's name and its colon";
    HeaderName 400 "RFC 9112 §5.1" "A header's name is a token and ends with a colon";
    HeadTooLarge 431 "RFC 6585 §5" "The head is larger than this end reads: send fewer or shorter headers";
    TooManyHeaders 431 "RFC 6585 §5" "The head has more header lines than this end reads: send fewer";
    HeadTimeout 408 "RFC 9110 §15.5.9" "The head did not arrive in time";
    HeadCutShort 400 "RFC 9112 §8" "The connection ended before the head did";

    // Requests.
    Method 405 "RFC 6455 §4.2.1" "The method of an opening handshake is GET";
    HttpVersion 505 "RFC 6455 §4.2.1" "An opening handshake needs HTTP/1.1";
    ConnectMethod 405 "RFC 8441 §5" "Over HTTP/2 a WebSocket is opened by CONNECT with `:protocol websocket`";
    ConnectProtocol 501 "RFC 8441 §4" "The only protocol that CONNECT opens here is `websocket`";
    TargetForm 400 "RFC 6455 §4.2.1" "The target of an opening handshake is a path, or an absolute URL of http, https, ws or wss";
    HostMissing 400 "RFC 9112 §3.2" "A request has a Host header";
    HostRepeated 400 "RFC 9112 §3.2" "A request has only one Host header";
    HostInvalid 400 "RFC 9112 §3.2" "Host is a name or an address, in brackets if it is IPv6, and perhaps a port";
    Body 400 "RFC 6455 §4.1" "An opening handshake has no body: leave out Content-Length and Transfer-Encoding";
    Upgrade 426 "RFC 6455 §4.2.1" "This address speaks WebSocket: send `Upgrade: websocket`";
    Connection 426 "RFC 6455 §4.2.1" "The Connection header must list `Upgrade` (does a proxy remove it?)";
    Version 426 "RFC 6455 §4.2.2" "Exactly one `Sec-WebSocket-Version: 13` is needed";
    KeyMissing 400 "RFC 6455 §4.2.1" "An opening handshake has a Sec-WebSocket-Key header";
    KeyRepeated 400 "RFC 6455 §11.3.1" "An opening handshake has only one Sec-WebSocket-Key header";
    KeyInvalid 400 "RFC 6455 §4.2.1" "Sec-WebSocket-Key is the base64 of 16 bytes: 22 characters and `==`";
    OriginInvalid 403 "RFC 6455 §10.2" "Origin is one scheme, host and perhaps port, as in `https://example.com`; `null` is not accepted";
    OriginForeign 403 "RFC 6455 §10.2" "Pages of this origin may not connect here: the server must list it";
    SubprotocolSyntax 400 "RFC 6455 §11.3.4" "Sec-WebSocket-Protocol is a list of tokens";
    SubprotocolRepeated 400 "RFC 6455 §4.1" "Each subprotocol is offered once";
    ExtensionSyntax 400 "RFC 6455 §9.1" "Sec-WebSocket-Extensions is a list of at least one extension, each a token with `; name=value` parameters";
    Application 403 "RFC 6455 §4.2.2" "The server's application refuses this connection";

    // Responses.
    ResponseVersion 502 "RFC 6455 §4.1" "The answer to an opening handshake is of HTTP/1.1";
    ResponseUpgrade 502 "RFC 6455 §4.1" "A 101 has one Upgrade header, and it says `websocket`";
    ResponseConnection 502 "RFC 6455 §4.1" "A 101 has a Connection header that lists `Upgrade`";
    AcceptMissing 502 "RFC 6455 §4.1" "A 101 has a Sec-WebSocket-Accept header";
    AcceptRepeated 502 "RFC 6455 §11.3.3" "A 101 has only one Sec-WebSocket-Accept header";
    AcceptWrong 502 "RFC 6455 §4.1" "Sec-WebSocket-Accept must answer the key that was sent";
    ResponseExtensionSyntax 502 "RFC 6455 §9.1" "The server's Sec-WebSocket-Extensions is a list of extensions, each a token with `; name=value` parameters";
    ExtensionUnoffered 502 "RFC 6455 §4.1" "The server may choose only extensions that were offered";
    ExtensionRepeated 502 "RFC 7692 §5" "The server may choose an extension once";
    ExtensionParams 502 "RFC 7692 §7.1" "The server's parameters of permessage-deflate must be valid and answer an offer";
    SubprotocolUnoffered 502 "RFC 6455 §4.1" "The server may choose only a subprotocol that was offered";
    SubprotocolSeveral 502 "RFC 6455 §11.3.4" "The server may choose only one subprotocol";
    SubprotocolMissing 502 "WHATWG WebSockets" "The server chose no subprotocol, and this client needs one of those it offered";
}

impl Rule {
    /// The status that refuses a request which breaks this rule.
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// Where the rule is written, as in `RFC 6455 §4.2.1`.
    pub const fn section(self) -> &'static str {
        self.row().1
    }

    /// The rule in a sentence, without the full stop.
    pub const fn sentence(self) -> &'static str {
        self.row().2
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// How much of a peer's value a message shows, in bytes before escaping.
const EXCERPT: usize = 64;

/// The breach of a [`Rule`]: which one, by what, and the limit if the rule has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    found: Option<Box<str>>,
    limit: Option<usize>,
}

impl Violation {
    pub(crate) const fn new(rule: Rule) -> Self {
        Self { rule, found: None, limit: None }
    }

    /// Adds the peer's value: its first bytes, with all that is not visible ASCII escaped.
    pub(crate) fn found(mut self, value: &[u8]) -> Self {
        self.found = Some(excerpt(value));
        self
    }

    pub(crate) fn byte(mut self, byte: u8, offset: usize) -> Self {
        self.found = Some(format!("byte 0x{byte:02x} at offset {offset}").into());
        self
    }

    pub(crate) const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The rule that was broken.
    pub const fn rule(&self) -> Rule {
        self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule.sentence())?;
        if let Some(found) = &self.found {
            write!(f, "; found {found}")?;
        }
        if let Some(limit) = self.limit {
            write!(f, "; the limit is {limit}")?;
        }
        write!(f, " ({})", self.rule.section())
    }
}

impl std::error::Error for Violation {}

/// The first bytes of a peer's value, quoted, visible ASCII only.
pub(crate) fn excerpt(value: &[u8]) -> Box<str> {
    let head = value.get(..EXCERPT).unwrap_or(value);
    let more = if head.len() < value.len() { "..." } else { "" };
    format!("\"{}\"{more}", head.escape_ascii()).into()
}
