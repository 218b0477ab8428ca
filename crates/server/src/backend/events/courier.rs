//! Brings batches to the application, one after the other.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::super::{Client, Endpoint};
use super::batch::{SIGNATURE, Signer, Writer};
use super::queue::{Queue, Taken};

/// What became of a post.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The application has it.
    Taken,
    /// The application will never take it.
    Refused(String),
    /// It may take it later.
    Failed(String),
}

/// Posts a batch, in bounded time.
pub(super) trait Deliver: Send + Sync + 'static {
    /// Posts it once.
    fn deliver(&self, body: Bytes, signature: HeaderValue) -> impl Future<Output = Delivery> + Send;

    /// The receiver, for the log.
    fn receiver(&self) -> String;
}

/// Posts batches over HTTP.
pub(super) struct Post {
    pub(super) client: Client,
    pub(super) endpoint: Endpoint,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
}

impl Deliver for Post {
    async fn deliver(&self, body: Bytes, signature: HeaderValue) -> Delivery {
        let mut headers = self.headers.clone();
        headers.insert(SIGNATURE, signature);
        match self.client.post(&self.endpoint, headers, body, self.timeout).await {
            Err(error) => Delivery::Failed(error.to_string()),
            Ok(response) => match response.status().as_u16() {
                200..=299 => Delivery::Taken,
                // Timeout, too early, too many.
                408 | 425 | 429 => Delivery::Failed(format!("status {}", response.status())),
                400..=499 => Delivery::Refused(format!("status {}", response.status())),
                // Redirects are not followed: whoever mends the endpoint gets what was held back.
                _ => Delivery::Failed(format!("status {}", response.status())),
            },
        }
    }

    fn receiver(&self) -> String {
        self.endpoint.to_string()
    }
}

/// Takes batches from the queue and delivers each before the next.
pub(super) struct Courier<D> {
    pub(super) queue: Arc<Queue>,
    pub(super) batch_delay: Duration,
    /// The shortest and the longest pause before a batch is posted again.
    pub(super) retry: RangeInclusive<Duration>,
    pub(super) writer: Writer,
    pub(super) signer: Signer,
    pub(super) deliver: D,
}

impl<D: Deliver> Courier<D> {
    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        while let Some(taken) = self.queue.take(self.batch_delay).await {
            let body = self.writer.write(&taken);
            self.bring(&taken, body).await;
        }
    }

    /// Posts a batch until the application takes or refuses it.
    async fn bring(&self, taken: &Taken, body: Bytes) {
        let endpoint = self.deliver.receiver();
        for attempt in 0.. {
            match self.deliver.deliver(body.clone(), self.signer.sign(&body)).await {
                Delivery::Taken => return self.queue.delivered(taken),
                Delivery::Refused(why) => {
                    let count = taken.events.len();
                    tracing::error!(
                        endpoint,
                        "{count} events are dropped, for the application refuses them: {why}"
                    );
                    return self.queue.refused(taken);
                }
                Delivery::Failed(why) => {
                    let pause = pause(&self.retry, attempt);
                    tracing::warn!(endpoint, "events cannot be delivered, trying again in {pause:?}: {why}");
                    self.queue.retried();
                    self.rest(pause).await;
                }
            }
        }
    }

    /// Pauses; when the queue is being closed, as shortly as may be, for then time is short.
    async fn rest(&self, pause: Duration) {
        if self.queue.is_closing() {
            return tokio::time::sleep(*self.retry.start()).await;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.queue.closed() => {}
        }
    }
}

/// A random pause between the shortest and twice the shortest, four times it, and so on up to the longest: many servers whose
/// application comes back do not all post at once.
fn pause(retry: &RangeInclusive<Duration>, attempt: u32) -> Duration {
    let (shortest, longest) = (*retry.start(), *retry.end());
    let doubled =
        2_u32.checked_pow(attempt.saturating_add(1)).and_then(|factor| shortest.checked_mul(factor));
    let spread = doubled.unwrap_or(longest).min(longest).saturating_sub(shortest);
    let spread = u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX - 1);
    // Without random numbers all wait for the longest of the pauses.
    let random = getrandom::u64().map_or(spread, |random| random % (spread + 1));
    shortest + Duration::from_nanos(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_never_beyond_their_bounds() {
        let ms = Duration::from_millis;
        for (attempt, longest) in [(0, 200), (1, 400), (2, 800), (3, 1000), (31, 1000), (u32::MAX, 1000)] {
            let pauses: Vec<_> = (0..200).map(|_| pause(&(ms(100)..=ms(1000)), attempt)).collect();
            assert!(pauses.iter().all(|pause| (ms(100)..=ms(longest)).contains(pause)), "{attempt}");
            // Of 200 random ones, some lie in each half.
            let middle = ms((100 + longest) / 2);
            assert!(pauses.iter().any(|pause| *pause < middle) && pauses.iter().any(|pause| *pause > middle));
        }
        assert_eq!(pause(&(ms(50)..=ms(50)), 3), ms(50));
    }
}
