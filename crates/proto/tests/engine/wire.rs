//! Frames put together and taken apart by hand (RFC 6455 §5.2), so that the engine is not compared with itself.

use antiphon_proto::Role;

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8A;
/// The first frame of several.
pub const TEXT_BEGINS: u8 = 0x01;
pub const BINARY_BEGINS: u8 = 0x02;
pub const CONTINUES: u8 = 0x00;
pub const ENDS: u8 = 0x80;
/// "Compressed", to be or-ed to the first byte.
pub const RSV1: u8 = 0x40;

/// The key of the examples in RFC 6455 §5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How many bytes the length takes beyond the second byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Short,
    Two,
    Eight,
}

impl Form {
    pub fn minimal(length: usize) -> Self {
        match length {
            0..=125 => Self::Short,
            126..=0xFFFF => Self::Two,
            _ => Self::Eight,
        }
    }
}

/// The head of a frame that declares `length` in this form.
pub fn head(first: u8, form: Form, length: u64, key: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match form {
        Form::Short => bytes.push(bit | length as u8),
        Form::Two => {
            bytes.push(bit | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        Form::Eight => {
            bytes.push(bit | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
    bytes
}

pub fn apply(key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let key = key.unwrap_or_default();
    payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect()
}

/// The mask that the peer of a connection in this role has to use.
pub fn key_to(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some(KEY)
}

/// A frame as the peer of a connection in this role sends it.
pub fn to(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let key = key_to(role);
    let mut bytes = head(first, Form::minimal(payload.len()), payload.len() as u64, key);
    bytes.extend(apply(key, payload));
    bytes
}

/// The body of a Close frame.
pub fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub first: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

/// Reads frames, of which none may be cut. Lengths must be minimal.
pub fn parse(mut bytes: &[u8]) -> Vec<Read> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = parse_one(bytes).expect("a whole frame");
        frames.push(frame);
        bytes = rest;
    }
    frames
}

fn parse_one(bytes: &[u8]) -> Option<(Read, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, form, rest) = match second & 0x7F {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), Form::Two, rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length) as usize, Form::Eight, rest)
        }
        short => (usize::from(short), Form::Short, rest),
    };
    assert_eq!(form, Form::minimal(length), "§5.2: the length in its shortest form");
    let (key, rest) = if second & 0x80 != 0 {
        let (key, rest) = rest.split_first_chunk()?;
        (Some(*key), rest)
    } else {
        (None, rest)
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((Read { first, key, payload: apply(key, payload) }, rest))
}
