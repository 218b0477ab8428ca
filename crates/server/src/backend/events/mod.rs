//! Word of what has happened: gathered in batches, signed, and posted until it is taken.

mod batch;
mod courier;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::backend::{Asker, Events, Occurrence};
use antiphon_hub::clock::Clock;
use antiphon_hub::data::Data;
use antiphon_hub::protocol::{Encoding, Unsubscribed};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::headers::fixed_headers;
use super::{Client, Endpoint};
use crate::config::server::EventKind;
use batch::{Signer, Writer};
use courier::{Courier, Deliver, Post};
use queue::{About, Event, Queue};

/// What is set for events.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EventSettings {
    /// Where batches are posted: an `http` or `https` URL.
    pub(crate) endpoint: String,
    /// What batches are signed with.
    pub(crate) secret: String,
    /// Which kinds of events are told of.
    pub(crate) kinds: Vec<EventKind>,
    /// Headers that every batch has.
    pub(crate) static_headers: BTreeMap<String, String>,
    /// For everything from looking up the name to the last byte of the answer.
    pub(crate) timeout: Duration,
    /// Events in a batch.
    pub(crate) batch_size: usize,
    /// How long a batch that is not full waits for more.
    pub(crate) batch_delay: Duration,
    /// The shortest pause before a batch is posted again.
    pub(crate) retry_min: Duration,
    /// The longest.
    pub(crate) retry_max: Duration,
    /// Events that wait, beside the batch on its way, and as many KiB of them. When there are more, the oldest are dropped.
    pub(crate) queue_size: usize,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            secret: String::new(),
            kinds: EventKind::LIFE.to_vec(),
            static_headers: BTreeMap::new(),
            timeout: Duration::from_secs(5),
            batch_size: 100,
            batch_delay: Duration::from_millis(100),
            retry_min: Duration::from_millis(250),
            retry_max: Duration::from_secs(30),
            queue_size: 10_000,
        }
    }
}

impl EventSettings {
    fn check(&self) -> Result<(), String> {
        if self.secret.is_empty() {
            return Err("secret is empty; set one, so that the application can tell who posts".into());
        }
        if self.timeout.is_zero() {
            return Err("timeout is 0, in which nothing can be answered; the default is 5s".into());
        }
        if self.batch_size == 0 || self.batch_size > self.queue_size {
            let Self { batch_size, queue_size, .. } = self;
            return Err(format!(
                "batch_size is {batch_size}; it must be from 1 to queue_size, which is {queue_size}"
            ));
        }
        if self.retry_min.is_zero() || self.retry_min > self.retry_max {
            let Self { retry_min, retry_max, .. } = self;
            return Err(format!(
                "retry_min is {retry_min:?}; it must be above 0 and at most retry_max, {retry_max:?}"
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for EventSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSettings")
            .field("endpoint", &self.endpoint)
            .field("kinds", &self.kinds)
            .field("batch_size", &self.batch_size)
            .field("queue_size", &self.queue_size)
            .finish_non_exhaustive()
    }
}

/// Tells the application over HTTP what has happened.
///
/// Events go out in the order in which they were told, one batch at a time; a batch is posted again until it is taken, so it
/// may come twice and no event overtakes another. Clones share the one queue.
#[derive(Clone)]
pub(crate) struct HttpEvents {
    queue: Arc<Queue>,
    kinds: Arc<[EventKind]>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    courier: AbortHandle,
    /// Closed when the courier has ended.
    ended: watch::Receiver<()>,
}

impl HttpEvents {
    /// Begins to tell, on the client's runtime.
    ///
    /// # Errors
    /// When a setting is wrong; the sentence names it.
    pub(crate) fn new(
        client: &Client,
        settings: &EventSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let wrong = |said: String| format!("events: {said}");
        let post = Post {
            client: client.clone(),
            endpoint: Endpoint::parse(&settings.endpoint).map_err(wrong)?,
            headers: fixed_headers(&settings.static_headers).map_err(wrong)?,
            timeout: settings.timeout,
        };
        Self::start(client.runtime(), settings, clock, post).map_err(wrong)
    }

    fn start(
        runtime: &Handle,
        settings: &EventSettings,
        clock: Arc<dyn Clock>,
        deliver: impl Deliver,
    ) -> Result<Self, String> {
        settings.check()?;
        let instance = getrandom::u64().map_err(|e| format!("there are no random numbers to be had: {e}"))?;
        let queue = Arc::new(Queue::new(settings.queue_size, settings.batch_size));
        let (end, ended) = watch::channel(());
        let courier = Courier {
            queue: Arc::clone(&queue),
            batch_delay: settings.batch_delay,
            retry: settings.retry_min..=settings.retry_max,
            writer: Writer::new(instance),
            signer: Signer::new(&settings.secret, Arc::clone(&clock)),
            deliver,
        };
        let courier = runtime.spawn(async move {
            courier.run().await;
            drop(end);
        });
        Ok(Self {
            queue,
            kinds: settings.kinds.as_slice().into(),
            clock,
            runtime: runtime.clone(),
            courier: courier.abort_handle(),
            ended,
        })
    }

    /// Delivers what waits, for as long as `deadline`, and ends. What is told from now on is dropped.
    ///
    /// Gives the number of events that were not delivered; the last batch of them may have been taken all the same.
    pub(crate) async fn flush(self, deadline: Duration) -> u64 {
        self.queue.close();
        let mut ended = self.ended;
        // The timer is the courier's runtime's, whoever waits here.
        let waiting =
            self.runtime.spawn(async move { tokio::time::timeout(deadline, ended.changed()).await.is_ok() });
        if !waiting.await.unwrap_or(false) {
            self.courier.abort();
        }
        let left = self.queue.undelivered();
        if left > 0 {
            tracing::error!("{left} events were not delivered within {deadline:?}; they are lost");
        }
        left
    }

    /// How it does.
    pub(crate) fn stats(&self) -> EventStats {
        self.queue.stats()
    }
}

fn kind_of(occurrence: &Occurrence<'_>) -> EventKind {
    match occurrence {
        Occurrence::Connected { .. } => EventKind::Connected,
        Occurrence::Disconnected { .. } => EventKind::Disconnected,
        Occurrence::Subscribed { .. } => EventKind::Subscribed,
        Occurrence::Unsubscribed { .. } => EventKind::Unsubscribed,
        Occurrence::Message { .. } => EventKind::Message,
        Occurrence::Occupied { .. } => EventKind::Occupied,
        Occurrence::Vacated { .. } => EventKind::Vacated,
    }
}

impl Events for HttpEvents {
    fn takes_messages(&self) -> bool {
        self.kinds.contains(&EventKind::Message)
    }

    fn tell(&self, occurrence: Occurrence<'_>) {
        let kind = kind_of(&occurrence);
        if !self.kinds.contains(&kind) {
            return;
        }
        let about = |asker: &Asker| About {
            client: Arc::clone(&asker.client),
            user: Arc::clone(&asker.user),
            transport: asker.transport,
            protocol: match asker.encoding {
                Encoding::Json => "json",
                Encoding::Protobuf => "protobuf",
            },
        };
        let event = Event {
            kind,
            time: self.clock.unix_ms(),
            about: None,
            channel: "".into(),
            code: None,
            reason: None,
            data: None,
        };
        self.queue.push(match occurrence {
            Occurrence::Connected { asker } => Event { about: Some(about(asker)), ..event },
            Occurrence::Disconnected { asker, disconnect } => Event {
                about: Some(about(asker)),
                code: Some(disconnect.code),
                reason: Some(disconnect.reason.clone()),
                ..event
            },
            Occurrence::Subscribed { asker, channel } => {
                Event { about: Some(about(asker)), channel: channel.into(), ..event }
            }
            Occurrence::Unsubscribed { asker, channel, code } => {
                let known = Unsubscribed::ALL.iter().find(|known| known.code == code);
                Event {
                    about: Some(about(asker)),
                    channel: channel.into(),
                    code: Some(code),
                    reason: known.map(|known| known.reason.clone()),
                    ..event
                }
            }
            Occurrence::Message { asker, data } => {
                let kind = match asker.encoding {
                    Encoding::Json => Data::Json(data.clone()),
                    Encoding::Protobuf => Data::Binary(data.clone()),
                };
                Event { about: Some(about(asker)), data: Some(kind.to_json()), ..event }
            }
            Occurrence::Occupied { channel } | Occurrence::Vacated { channel } => {
                Event { channel: channel.into(), ..event }
            }
        });
    }
}

impl fmt::Debug for HttpEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpEvents").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// How the telling does, since the server began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EventStats {
    /// Events that were told.
    pub(crate) told: u64,
    /// Events that the application took.
    pub(crate) delivered: u64,
    /// Events that it will never get: dropped for want of room, told after the end, or refused.
    pub(crate) dropped: u64,
    /// Events that wait, without those of the batch on its way.
    pub(crate) waiting: usize,
    /// Batches that the application took.
    pub(crate) batches: u64,
    /// Posts that failed and were made again.
    pub(crate) retries: u64,
}
