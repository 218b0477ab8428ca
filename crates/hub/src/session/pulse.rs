//! Whether the client is still there: the wait for `connect`, pings, pongs.

use std::time::{Duration, Instant};

use crate::options::ClientOptions;
use crate::protocol::Disconnect;

/// How much longer a client may be new while its `connect` is worked on, before that is looked at again.
const MORE: Duration = Duration::from_secs(1);

/// What is due at a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send a ping.
    Ping,
}

/// ```text
///   Fresh ── connect ──► Resting ── ping_interval ──► Pinged ── pong ──► Resting
///     │ stale_close_delay                              │ pong_timeout
///     ▼                                                ▼
///   Disconnect::STALE                                Disconnect::NO_PONG
/// ```
#[derive(Debug)]
pub(super) struct Pulse {
    state: State,
    /// 0 sends no pings.
    interval: Duration,
    /// 0 waits for no pongs.
    timeout: Duration,
    /// From `connect` to the first ping: random, so that many clients that come at once are not pinged at once.
    first: Duration,
    /// Pings that are not answered yet. They may be several: nothing is read while a command waits for the backend.
    unanswered: u32,
    /// From the last ping to its answer, in microseconds; 0 before there is one. It stands where there would be nothing.
    round_trip: u32,
}

#[derive(Debug)]
enum State {
    Fresh { until: Option<Instant> },
    Resting { ping: Option<Instant> },
    Pinged { pong_until: Option<Instant>, ping: Instant },
}

impl Pulse {
    pub(super) fn new(now: Instant, options: &ClientOptions, random: u64) -> Self {
        let interval = options.ping_interval.0;
        let nanoseconds = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let stale = options.stale_close_delay;
        Self {
            state: State::Fresh { until: (!stale.is_zero()).then(|| now + stale.0) },
            interval,
            timeout: options.pong_timeout.0,
            first: Duration::from_nanos(random % nanoseconds),
            unanswered: 0,
            round_trip: 0,
        }
    }

    /// How long the client took to answer the last ping that it answered.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        (self.round_trip > 0).then(|| Duration::from_micros(self.round_trip.into()))
    }

    /// The client has connected.
    pub(super) fn start(&mut self, now: Instant) {
        self.state = State::Resting { ping: (!self.interval.is_zero()).then(|| now + self.first) };
    }

    /// There is nobody to ping, until it starts again.
    pub(super) fn pause(&mut self) {
        self.state = State::Resting { ping: None };
        self.unanswered = 0;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Fresh { until } => until,
            State::Resting { ping } => ping,
            State::Pinged { pong_until, ping } => Some(pong_until.map_or(ping, |until| until.min(ping))),
        }
    }

    /// # Errors
    /// When there was no ping to answer: a client that sends pongs of its own accord is not one of this protocol.
    pub(super) fn handle_pong(&mut self, now: Instant) -> Result<(), Disconnect> {
        self.unanswered = self.unanswered.checked_sub(1).ok_or(Disconnect::BAD_REQUEST)?;
        if let State::Pinged { ping, .. } = self.state {
            // Of several it answers the oldest, and that says nothing of the way.
            if self.unanswered == 0
                && let Some(sent) = ping.checked_sub(self.interval)
            {
                let took = now.saturating_duration_since(sent).as_micros();
                self.round_trip = u32::try_from(took).unwrap_or(u32::MAX).max(1);
            }
            self.state = State::Resting { ping: Some(ping) };
        }
        Ok(())
    }

    /// The server does not read from the client, and so cannot hear it; or its `connect` has come, and is not answered yet.
    pub(super) fn excuse(&mut self, now: Instant) {
        match &mut self.state {
            State::Pinged { pong_until: Some(until), .. } => *until = now + self.timeout,
            State::Fresh { until: Some(until) } => *until = (*until).max(now + MORE),
            _ => {}
        }
    }

    pub(super) fn handle_deadline(&mut self, now: Instant) -> Result<Due, Disconnect> {
        match self.state {
            State::Fresh { until: Some(until) } if until <= now => Err(Disconnect::STALE),
            State::Pinged { pong_until: Some(until), .. } if until <= now => Err(Disconnect::NO_PONG),
            State::Resting { ping: Some(ping) } | State::Pinged { ping, .. } if ping <= now => {
                let ping = now + self.interval;
                // A ping that comes before the answer to the last one gives the client no more time for that.
                let pong_until = match self.state {
                    State::Pinged { pong_until, .. } => pong_until,
                    _ => (!self.timeout.is_zero()).then(|| now + self.timeout),
                };
                self.state = State::Pinged { pong_until, ping };
                self.unanswered = self.unanswered.saturating_add(1);
                Ok(Due::Ping)
            }
            _ => Ok(Due::Nothing),
        }
    }
}
