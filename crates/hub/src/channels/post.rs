//! What is handed to members: one event, and its frames.

use std::sync::OnceLock;

use antiphon_proto::Prepared;
use tracing::Span;

use crate::data::{Data, quote};
use crate::engine::{Event, Publication};
use crate::protocol::{self, Encoding, Push, Reply};
use crate::{delta, trace, wire};

/// The form in which a member takes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The data as it is, in a message of its own.
    Raw,
    /// A push in JSON.
    Json,
    /// A push in Protobuf.
    Protobuf,
    /// A push in JSON with the data as a string, for clients that take differences.
    JsonWhole,
    /// The difference to the publication before, in JSON.
    JsonPatch,
    /// The difference to the publication before, in Protobuf.
    ProtobufPatch,
}

const FORMS: usize = 6;

/// One event in one channel. The frame of each form is made when its first member asks, and shared by all.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) channel: Box<str>,
    pub(crate) event: Event,
    /// When it was handed on, by the hub's nanoseconds.
    pub(super) at: u64,
    /// What is to be traced of it belongs to this.
    pub(crate) span: Span,
    frames: [OnceLock<Prepared>; FORMS],
}

impl Post {
    pub(crate) fn new(channel: &str, event: Event, at: u64) -> Self {
        let frames = [const { OnceLock::new() }; FORMS];
        Self { channel: channel.into(), event, at, span: trace::current(), frames }
    }

    /// Whether its way is traced.
    pub(super) fn is_traced(&self) -> bool {
        !self.span.is_disabled()
    }

    /// Whether it is a publication, rather than a join or a leave.
    pub(super) fn is_publication(&self) -> bool {
        matches!(self.event, Event::Publication { .. })
    }

    /// Its place in the stream; 0 for what has none.
    pub(crate) fn offset(&self) -> u64 {
        match &self.event {
            Event::Publication { publication, .. } => publication.offset,
            Event::Join(_) | Event::Leave(_) => 0,
        }
    }

    /// About how much memory it holds.
    pub(crate) fn weight(&self) -> usize {
        let data = match &self.event {
            Event::Publication { publication, .. } => publication.data.bytes().len(),
            Event::Join(info) | Event::Leave(info) => info.conn_info.len() + info.chan_info.len(),
        };
        size_of::<Self>() + self.channel.len() + data
    }

    /// The whole frame in one form.
    pub(crate) fn frame(&self, form: Form) -> &Prepared {
        self.frames[form as usize].get_or_init(|| match (form, &self.event) {
            (Form::Raw, Event::Publication { publication, .. }) => raw(&publication.data),
            // Who takes raw data hears of nothing else: see `Place::take`.
            (Form::Raw, Event::Join(_) | Event::Leave(_)) => Prepared::text(""),
            (Form::Json | Form::JsonWhole | Form::JsonPatch, _) => self.push(Encoding::Json, form),
            (Form::Protobuf | Form::ProtobufPatch, _) => self.push(Encoding::Protobuf, form),
        })
    }

    fn push(&self, encoding: Encoding, form: Form) -> Prepared {
        let mut push = Push { channel: self.channel.to_string(), ..Push::default() };
        let presence = |info| protocol::Presence { info: Some(wire::info(info, encoding)) };
        match &self.event {
            Event::Publication { publication, previous, .. } => {
                push.publication = Some(in_form(publication, previous.as_deref(), encoding, form));
            }
            Event::Join(info) => push.join = Some(presence(info)),
            Event::Leave(info) => push.leave = Some(presence(info)),
        }
        let message = encoding.encode(&Reply { push: Some(Box::new(push)), ..Reply::default() });
        match encoding {
            // What serde_json writes is UTF-8.
            Encoding::Json => Prepared::text(&String::from_utf8_lossy(&message)),
            Encoding::Protobuf => Prepared::binary(&message),
        }
    }
}

fn raw(data: &Data) -> Prepared {
    match data {
        Data::Json(bytes) | Data::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Prepared::text(text),
            Err(_) => Prepared::binary(bytes),
        },
        Data::Binary(bytes) => Prepared::binary(bytes),
    }
}

fn in_form(
    publication: &Publication,
    previous: Option<&Publication>,
    encoding: Encoding,
    form: Form,
) -> protocol::Publication {
    match (form, previous) {
        (Form::JsonPatch | Form::ProtobufPatch, Some(previous)) => patched(publication, previous, encoding),
        (Form::JsonWhole | Form::JsonPatch, _) => whole(publication, encoding),
        _ => wire::publication(publication, encoding),
    }
}

/// A publication whose data stands as a client wants it that takes differences: in JSON, as a string.
pub(crate) fn whole(publication: &Publication, encoding: Encoding) -> protocol::Publication {
    match encoding {
        Encoding::Json => wire::with_data(publication, encoding, publication.data.to_json_string(), false),
        Encoding::Protobuf => wire::publication(publication, encoding),
    }
}

/// A publication as its difference to the one before it, or whole where that is no shorter.
pub(crate) fn patched(
    publication: &Publication,
    previous: &Publication,
    encoding: Encoding,
) -> protocol::Publication {
    let data = wire::data(&publication.data, encoding);
    let patch = delta::create(&wire::data(&previous.data, encoding), &data);
    if patch.len() >= data.len() {
        return whole(publication, encoding);
    }
    let patch = match encoding {
        Encoding::Json => quote(&patch),
        Encoding::Protobuf => patch.into(),
    };
    wire::with_data(publication, encoding, patch, true)
}
