//! One publication, and its frames.

use std::sync::{Arc, OnceLock};

use antiphon_proto::Prepared;

use crate::protocol::{self, ClientInfo, Data};

/// The form in which a member takes publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The payload as it is.
    Raw,
    /// A push of the client protocol in JSON.
    Json,
}

/// What was published.
#[derive(Debug)]
pub(crate) enum Payload {
    /// A JSON value, from the client protocol.
    Json(Box<str>),
    /// A text message.
    Text(Box<str>),
    /// A binary message.
    Binary(Box<[u8]>),
}

impl Payload {
    fn data(&self) -> Data<'_> {
        match self {
            Self::Json(text) => Data::Json(text),
            Self::Text(text) => Data::Text(text),
            Self::Binary(bytes) => Data::Binary(bytes),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Json(text) | Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// One publication in one channel. The frame of each encoding is made when its first member asks, and shared by all.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) channel: Box<str>,
    payload: Payload,
    /// Who published, where that is a client of the client protocol.
    info: Option<Arc<ClientInfo>>,
    raw: OnceLock<Prepared>,
    json: OnceLock<Prepared>,
}

impl Publication {
    pub(crate) fn new(channel: &str, payload: Payload, info: Option<Arc<ClientInfo>>) -> Self {
        Self { channel: channel.into(), payload, info, raw: OnceLock::new(), json: OnceLock::new() }
    }

    /// About how much memory it holds.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.channel.len() + self.payload.len()
    }

    /// The whole frame in one encoding.
    pub(crate) fn frame(&self, encoding: Encoding) -> &Prepared {
        match encoding {
            Encoding::Raw => self.raw.get_or_init(|| match &self.payload {
                Payload::Json(text) | Payload::Text(text) => Prepared::text(text),
                Payload::Binary(bytes) => Prepared::binary(bytes),
            }),
            Encoding::Json => self.json.get_or_init(|| {
                Prepared::text(&protocol::push(&self.channel, self.payload.data(), self.info.as_deref()))
            }),
        }
    }
}
