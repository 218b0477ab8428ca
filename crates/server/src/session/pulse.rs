//! Whether the client is still there: the wait for `connect`, pings, pongs.

use std::time::{Duration, Instant};

use antiphon_hub::Span;

use crate::config;
use crate::protocol::Disconnect;

/// What is due at a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send a ping.
    Ping,
}

/// ```text
///   Fresh ── connect ──► Resting ── ping_interval ──► Pinged ── pong ──► Resting
///     │ stale_close_delay                              │ pong_timeout
///     ▼                                                ▼
///   Disconnect::Stale                                Disconnect::NoPong
/// ```
#[derive(Debug)]
pub(super) struct Pulse {
    state: State,
    interval: Duration,
    timeout: Duration,
    /// From `connect` to the first ping: random, so that many clients that come at once are not pinged at once.
    first: Duration,
    pinged: bool,
}

const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Debug)]
enum State {
    Fresh { until: Instant },
    Resting { ping: Instant },
    Pinged { pong_until: Instant, ping: Instant },
}

impl Pulse {
    pub(super) fn new(now: Instant, config: &config::client::Client, random: u64) -> Self {
        // No time is "not at all".
        let or_never = |span: Span| if span.is_zero() { NEVER } else { span.0 };
        let interval = or_never(config.options.ping_interval);
        let nanoseconds = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self {
            state: State::Fresh { until: now + config.options.stale_close_delay.0 },
            interval,
            timeout: or_never(config.options.pong_timeout),
            first: if interval == NEVER { NEVER } else { Duration::from_nanos(random % nanoseconds) },
            pinged: false,
        }
    }

    /// The client has connected.
    pub(super) fn start(&mut self, now: Instant) {
        self.state = State::Resting { ping: now + self.first };
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Fresh { until } => until,
            State::Resting { ping } => ping,
            State::Pinged { pong_until, ping } => pong_until.min(ping),
        }
    }

    /// # Errors
    /// When there was no ping to answer: a client that sends pongs of its own accord is not one of this protocol.
    pub(super) fn handle_pong(&mut self) -> Result<(), Disconnect> {
        if !self.pinged {
            return Err(Disconnect::BadRequest);
        }
        self.pinged = false;
        if let State::Pinged { ping, .. } = self.state {
            self.state = State::Resting { ping };
        }
        Ok(())
    }

    pub(super) fn handle_deadline(&mut self, now: Instant) -> Result<Due, Disconnect> {
        match self.state {
            State::Fresh { until } if until <= now => Err(Disconnect::Stale),
            State::Pinged { pong_until, .. } if pong_until <= now => Err(Disconnect::NoPong),
            State::Resting { ping } | State::Pinged { ping, .. } if ping <= now => {
                let ping = now + self.interval;
                // A ping that comes before the answer to the last one gives the client no more time for that.
                let pong_until = match self.state {
                    State::Pinged { pong_until, .. } => pong_until,
                    _ => now + self.timeout,
                };
                self.state = State::Pinged { pong_until, ping };
                self.pinged = true;
                Ok(Due::Ping)
            }
            _ => Ok(Due::Nothing),
        }
    }
}
