//! `GET channels`, and what there is to know and to do about one of them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_hub::Span;
use antiphon_hub::api::Message;
use antiphon_hub::data::Data;
use antiphon_hub::engine::Publication;
use antiphon_hub::options::ChannelOptions;
use antiphon_hub::protocol::{ClientError, ClientInfo, Position};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::part::Part;
use super::series::round;
use super::{AdminError, AdminRequest, Json, aside};
use crate::api::json;
use crate::serve::Worker;

/// The data of messages in one answer, in bytes. The rest is in the next; one message always is there.
const DATA: usize = 1024 * 1024;

#[derive(Serialize)]
struct Channels {
    channels: Vec<Channel>,
    total: usize,
    next: Option<String>,
}

#[derive(Serialize)]
struct Channel {
    channel: String,
    members: usize,
    rate: f64,
}

/// `GET channels`: those that have members.
pub(super) async fn list(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let search = request.query("search").map(|text| text.to_lowercase());
    let sort = request.query("sort");
    // The highest number comes first.
    let rank: fn(usize, f64) -> u64 = match sort.as_deref() {
        None | Some("members") => |members, _| u64::MAX - members as u64,
        Some("rate") => |_, rate| u64::MAX - (rate * 1000.0) as u64,
        Some("name") => |_, _| 0,
        Some(other) => {
            return Err(AdminError::bad_request(format!("sort is {other:?}; write members, rate or name.")));
        }
    };
    let mut part = Part::new(request.page()?);
    let hub = Arc::clone(worker.node.hub());
    aside(move || {
        hub.each_channel(|name, activity| {
            if search.as_ref().is_none_or(|search| name.to_lowercase().contains(search)) {
                part.see(rank(activity.members, activity.rate), name, activity);
            }
        });
        let (total, next) = (part.total(), part.next()?);
        let channels = part.into_entries().map(|(channel, activity)| Channel {
            channel,
            members: activity.members,
            rate: round(activity.rate),
        });
        Json::of(&Channels { channels: channels.collect(), total, next })
    })
    .await?
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    channel: Channel,
    position: Option<Position>,
    namespace: &'a str,
    options: Value,
}

/// `GET channels/{channel}`.
pub(super) async fn one(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let name = request.name(0);
    let rules = worker.node.rules();
    let channel = rules.channel(name).map_err(|error| match error {
        error if error == ClientError::UNKNOWN_CHANNEL => {
            AdminError::not_found(format!("There is no namespace for the channel {name:?}; add it to the configuration, or mend the name."))
        }
        _ => AdminError::bad_request(format!(
            "The name {name:?} cannot be a channel's: it is too long, or has characters that its namespace does not allow."
        )),
    })?;
    let options = &channel.rules.options;
    let position = match options.has_history() {
        true => Some(worker.node.api().history(name, None, Some(0), false).await?.position),
        false => None,
    };
    let activity = worker.node.hub().activity(name);
    Json::of(&One {
        channel: Channel { channel: name.to_owned(), members: activity.members, rate: round(activity.rate) },
        position,
        namespace: channel.namespace.unwrap_or_default(),
        options: in_seconds(options)?,
    })
}

/// The options of a channel, with lengths of time in seconds.
fn in_seconds(options: &ChannelOptions) -> Result<Value, AdminError> {
    let mut shown = serde_json::to_value(options).map_err(|error| AdminError::internal(&error))?;
    let ChannelOptions { history_ttl, history_meta_ttl, .. } = options;
    if let Value::Object(keys) = &mut shown {
        for (key, Span(length)) in [("history_ttl", history_ttl), ("history_meta_ttl", history_meta_ttl)] {
            keys.remove(key);
            keys.insert(format!("{key}_s"), json!(length.as_secs_f64()));
        }
    }
    Ok(shown)
}

#[derive(Serialize)]
struct Members {
    members: Vec<Member>,
    total: usize,
    next: Option<String>,
}

#[derive(Serialize)]
struct Member {
    client: String,
    user: String,
    conn_info: Option<json::Json>,
    chan_info: Option<json::Json>,
}

impl Member {
    fn of(info: &ClientInfo) -> Self {
        Self {
            client: info.client.clone(),
            user: info.user.clone(),
            conn_info: json::Json::of_bytes(&info.conn_info),
            chan_info: json::Json::of_bytes(&info.chan_info),
        }
    }
}

/// `GET channels/{channel}/members`, by their ids.
pub(super) async fn members(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let (node, channel) = (Arc::clone(&worker.node), request.name(0).to_owned());
    let mut part = Part::new(request.page()?);
    aside(move || {
        for info in Handle::current().block_on(node.api().presence(&channel))? {
            part.see(0, &info.client, Arc::clone(&info));
        }
        let (total, next) = (part.total(), part.next()?);
        let members = part.into_entries().map(|(_, info)| Member::of(&info)).collect();
        Json::of(&Members { members, total, next })
    })
    .await?
}

#[derive(Serialize)]
struct History {
    messages: Vec<Past>,
    position: Position,
    next: Option<u64>,
}

#[derive(Serialize)]
struct Past {
    offset: u64,
    at: i64,
    data: Option<Shown>,
    size: usize,
    tags: BTreeMap<String, String>,
    info: Option<Member>,
}

impl Past {
    fn of(publication: &Publication) -> Self {
        Self {
            offset: publication.offset,
            at: publication.time,
            data: Shown::of(&publication.data),
            size: publication.data.bytes().len(),
            tags: publication.tags.clone(),
            info: publication.info.as_deref().map(Member::of),
        }
    }
}

/// Data as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Json(json::Json),
    /// Bytes that are no text.
    Bytes {
        base64: String,
    },
}

impl Shown {
    /// Nothing for no data.
    fn of(data: &Data) -> Option<Self> {
        match std::str::from_utf8(data.bytes()) {
            Ok(_) => json::Json::of(data).map(Self::Json),
            Err(_) => Some(Self::Bytes { base64: STANDARD.encode(data.bytes()) }),
        }
    }
}

/// `GET channels/{channel}/history`, the newest first.
pub(super) async fn history(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let (name, limit) = (request.name(0), request.limit()?);
    let since = request.number("before")?.map(|offset| Position { offset, epoch: String::new() });
    // One more tells whether there are more.
    let history = worker.node.api().history(name, since, Some(limit + 1), true).await?;
    aside(move || {
        let (mut messages, mut size, mut next) = (Vec::new(), 0, None);
        for publication in &history.publications {
            size += publication.data.bytes().len();
            if messages.len() == limit || (size > DATA && !messages.is_empty()) {
                next = messages.last().map(|last: &Past| last.offset);
                break;
            }
            messages.push(Past::of(publication));
        }
        Json::of(&History { messages, position: history.position, next })
    })
    .await?
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default, deserialize_with = "json::with_null")]
    data: Option<json::Json>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// `POST channels/{channel}/publish`.
pub(super) async fn publish(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError> {
    let Order { data, tags } = request.json()?;
    let data = json::data(data, None, "data").map_err(AdminError::bad_request)?;
    let message = Message { tags, ..Message::new(data) };
    let position = worker.node.api().publish(request.name(0), &message).await?;
    // It is for members of this worker as well.
    worker.local.deliver();
    Json::of(&position)
}
