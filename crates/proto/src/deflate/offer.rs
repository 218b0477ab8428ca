//! The negotiation of permessage-deflate (RFC 7692 §5 and §7.1).

use std::fmt;

use super::{DeflateConfig, Params};
use crate::handshake::Extension;

/// The name of the extension in `Sec-WebSocket-Extensions`.
pub(crate) const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The window of DEFLATE where none is named (§7.1.2).
const WIDEST: u8 = 15;

/// The bits of a configuration, within what a window can have.
fn clamp(bits: u8) -> u8 {
    bits.clamp(8, WIDEST)
}

/// What a client asks for (§7.1). Several of them are a list in the order of preference (§5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The server must reset its compressor after each message (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client will reset its own, whatever the server says (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window must be at most two to this power bytes, 8 to 15 (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// Whether the server may limit the client's window (§7.1.2.2).
    pub client_max_window_bits: ClientWindow,
}

/// What an offer says of `client_max_window_bits` (§7.1.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientWindow {
    /// Nothing: the client's window is 15 bits, and the server may not limit it.
    #[default]
    Fixed,
    /// The server may limit it.
    Limitable,
    /// The server may limit it, and the client will not use more than this anyway: 8 to 15.
    AtMost(u8),
}

/// Why an offer or a response is not one of permessage-deflate's: the parameters break §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadParams;

impl Offer {
    /// The offer of a client that is configured like this.
    pub fn new(config: &DeflateConfig) -> Self {
        let (own, peers) = (clamp(config.max_window_bits), clamp(config.peer_max_window_bits));
        Self {
            server_no_context_takeover: config.peer_no_context_takeover,
            client_no_context_takeover: config.no_context_takeover,
            server_max_window_bits: (peers < WIDEST).then_some(peers),
            client_max_window_bits: if own < WIDEST {
                ClientWindow::AtMost(own)
            } else {
                ClientWindow::Limitable
            },
        }
    }

    /// The first number of window bits that is not 8 to 15.
    pub(crate) fn bad_window_bits(&self) -> Option<u8> {
        let own = match self.client_max_window_bits {
            ClientWindow::AtMost(bits) => Some(bits),
            ClientWindow::Fixed | ClientWindow::Limitable => None,
        };
        [self.server_max_window_bits, own].into_iter().flatten().find(|bits| !(8..=WIDEST).contains(bits))
    }

    /// Reads an offer of permessage-deflate. A server declines what does not parse (§7.1), which is no fault of the request's.
    pub(crate) fn parse(extension: &Extension<'_>) -> Result<Self, BadParams> {
        let raw = RawParams::parse(extension)?;
        let bits = |value: Option<u8>| value.ok_or(BadParams);
        Ok(Self {
            server_no_context_takeover: raw.server_no_context_takeover,
            client_no_context_takeover: raw.client_no_context_takeover,
            // In an offer only the client's bits may stand without a value (§7.1.2.1, §7.1.2.2).
            server_max_window_bits: raw.server_max_window_bits.map(bits).transpose()?,
            client_max_window_bits: match raw.client_max_window_bits {
                None => ClientWindow::Fixed,
                Some(None) => ClientWindow::Limitable,
                Some(Some(bits)) => ClientWindow::AtMost(bits),
            },
        })
    }

    /// What a server that is configured like this answers to this offer, if it can.
    fn answer(self, config: &DeflateConfig) -> Option<Answer> {
        let limit = clamp(config.peer_max_window_bits);
        let client_max_window_bits = match self.client_max_window_bits {
            // The server may not limit a client that did not offer it (§7.1.2.2), so that one with a limit declines.
            ClientWindow::Fixed if limit < WIDEST => return None,
            ClientWindow::Fixed => None,
            ClientWindow::Limitable => (limit < WIDEST).then_some(limit),
            ClientWindow::AtMost(bits) => Some(bits.min(limit)),
        };
        // Without being asked the server may limit its own window, too (§7.1.2.1).
        let own = clamp(config.max_window_bits);
        let server_max_window_bits = match self.server_max_window_bits {
            Some(bits) => Some(bits.min(own)),
            None => (own < WIDEST).then_some(own),
        };
        Some(Answer {
            // Echoed if it was offered; the server may add it unasked (§7.1.1.1).
            server_no_context_takeover: self.server_no_context_takeover || config.no_context_takeover,
            // Confirmed if it was offered; the server may demand it unasked (§7.1.1.2).
            client_no_context_takeover: self.client_no_context_takeover || config.peer_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
        })
    }

    /// Whether a response answers this offer.
    fn permits(&self, answer: &Answer) -> bool {
        let own_window = match self.client_max_window_bits {
            ClientWindow::Fixed => answer.client_max_window_bits.is_none(),
            // The server may pass over the value of the offer, which is a hint (§7.1.2.2).
            ClientWindow::Limitable | ClientWindow::AtMost(_) => true,
        };
        let servers_window = match (self.server_max_window_bits, answer.server_max_window_bits) {
            (None, _) => true,
            (Some(offered), Some(answered)) => answered <= offered,
            (Some(_), None) => false,
        };
        let takeover = answer.server_no_context_takeover || !self.server_no_context_takeover;
        own_window && servers_window && takeover
    }

    /// What a response to this offer means.
    fn params(&self, answer: &Answer) -> Params {
        let mut params = answer.params();
        // What the offer says the client will do it does, whether the response confirms it or not.
        params.client_no_context_takeover |= self.client_no_context_takeover;
        if let ClientWindow::AtMost(bits) = self.client_max_window_bits {
            params.client_max_window_bits = params.client_max_window_bits.min(bits);
        }
        params
    }
}

/// The offer as a member of `Sec-WebSocket-Extensions`.
impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags(f, self.server_no_context_takeover, self.client_no_context_takeover)?;
        write_bits(f, SERVER_MAX_WINDOW_BITS, self.server_max_window_bits)?;
        match self.client_max_window_bits {
            ClientWindow::Fixed => Ok(()),
            ClientWindow::Limitable => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            ClientWindow::AtMost(bits) => write_bits(f, CLIENT_MAX_WINDOW_BITS, Some(bits)),
        }
    }
}

/// A server's response to an offer (§7.1): what it says, and so what both ends do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
}

impl Answer {
    /// Reads the response of a server. Both window sizes have a value in one (§7.1.2).
    fn parse(extension: &Extension<'_>) -> Result<Self, BadParams> {
        let raw = RawParams::parse(extension)?;
        let bits = |value: Option<u8>| value.ok_or(BadParams);
        Ok(Self {
            server_no_context_takeover: raw.server_no_context_takeover,
            client_no_context_takeover: raw.client_no_context_takeover,
            server_max_window_bits: raw.server_max_window_bits.map(bits).transpose()?,
            client_max_window_bits: raw.client_max_window_bits.map(bits).transpose()?,
        })
    }

    pub(crate) fn params(&self) -> Params {
        Params {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(WIDEST),
            client_max_window_bits: self.client_max_window_bits.unwrap_or(WIDEST),
        }
    }
}

/// The response as a member of `Sec-WebSocket-Extensions`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags(f, self.server_no_context_takeover, self.client_no_context_takeover)?;
        write_bits(f, SERVER_MAX_WINDOW_BITS, self.server_max_window_bits)?;
        write_bits(f, CLIENT_MAX_WINDOW_BITS, self.client_max_window_bits)
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, server: bool, client: bool) -> fmt::Result {
    f.write_str(NAME)?;
    if server {
        write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
    }
    if client {
        write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
    }
    Ok(())
}

fn write_bits(f: &mut fmt::Formatter<'_>, name: &str, bits: Option<u8>) -> fmt::Result {
    bits.map_or(Ok(()), |bits| write!(f, "; {name}={bits}"))
}

/// A server's choice among a client's offers: the first it can accept (§5). `None` declines them all.
pub(crate) fn accept(offers: &[Offer], config: &DeflateConfig) -> Option<Answer> {
    offers.iter().find_map(|offer| offer.answer(config))
}

/// A client's check of a server's response: it must be valid and answer one of the offers (§5, §7.1).
pub(crate) fn check(response: &Extension<'_>, offers: &[Offer]) -> Result<Params, BadParams> {
    let answer = Answer::parse(response)?;
    offers.iter().find(|offer| offer.permits(&answer)).map(|offer| offer.params(&answer)).ok_or(BadParams)
}

/// The parameters that §7.1 knows, each at most once. A window may stand without its value.
#[derive(Default)]
struct RawParams {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<Option<u8>>,
    client_max_window_bits: Option<Option<u8>>,
}

impl RawParams {
    fn parse(extension: &Extension<'_>) -> Result<Self, BadParams> {
        let mut raw = Self::default();
        for (name, value) in extension.params() {
            let value = value.as_deref();
            match name {
                SERVER_NO_CONTEXT_TAKEOVER => set_flag(&mut raw.server_no_context_takeover, value)?,
                CLIENT_NO_CONTEXT_TAKEOVER => set_flag(&mut raw.client_no_context_takeover, value)?,
                SERVER_MAX_WINDOW_BITS => set_bits(&mut raw.server_max_window_bits, value)?,
                CLIENT_MAX_WINDOW_BITS => set_bits(&mut raw.client_max_window_bits, value)?,
                _ => return Err(BadParams),
            }
        }
        Ok(raw)
    }
}

fn set_flag(flag: &mut bool, value: Option<&str>) -> Result<(), BadParams> {
    if *flag || value.is_some() {
        return Err(BadParams);
    }
    *flag = true;
    Ok(())
}

fn set_bits(bits: &mut Option<Option<u8>>, value: Option<&str>) -> Result<(), BadParams> {
    if bits.is_some() {
        return Err(BadParams);
    }
    *bits = Some(value.map(window_bits).transpose()?);
    Ok(())
}

/// 8 to 15 in decimal without leading zeros (§7.1.2.1).
fn window_bits(text: &str) -> Result<u8, BadParams> {
    match text.as_bytes() {
        [digit @ b'8'..=b'9'] => Ok(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Ok(10 + (digit - b'0')),
        _ => Err(BadParams),
    }
}
