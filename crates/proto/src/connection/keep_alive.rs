//! Pings, to notice a dead peer.

use std::time::{Duration, Instant};

use super::config::KeepAliveConfig;

/// When the next Ping is due, and until when the latest one may go unanswered.
#[derive(Debug)]
pub(super) struct KeepAlive {
    config: KeepAliveConfig,
    next: Instant,
    /// The latest Ping: until when the peer may be silent.
    deadline: Option<Instant>,
    /// Something has come since the latest Ping.
    heard: bool,
    pings: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send a Ping with this payload.
    Ping([u8; 8]),
    /// The peer has been silent for so long.
    Dead(Duration),
}

/// The time in so long. A duration beyond what the clock can tell is for ever: a century.
pub(super) fn later(now: Instant, duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(duration).unwrap_or_else(|| now + CENTURY)
}

impl KeepAlive {
    pub(super) fn new(config: KeepAliveConfig, now: Instant) -> Self {
        Self { config, next: later(now, config.interval), deadline: None, heard: false, pings: 0 }
    }

    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline.map_or(self.next, |deadline| deadline.min(self.next))
    }

    pub(super) fn due(&mut self, now: Instant) -> Due {
        if let Some(deadline) = self.deadline
            && deadline <= now
        {
            if !self.heard {
                return Due::Dead(self.config.timeout);
            }
            self.deadline = None;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.next = later(now, self.config.interval);
        if self.deadline.is_none() {
            self.deadline = Some(later(now, self.config.timeout));
            self.heard = false;
        }
        self.pings += 1;
        Due::Ping(self.pings.to_be_bytes())
    }
}

/// The latest Ping of this end, to tell the round-trip time by its Pong.
#[derive(Debug)]
pub(super) struct LatestPing {
    payload: Box<[u8]>,
    sent: Instant,
}

impl LatestPing {
    pub(super) fn new(payload: &[u8], now: Instant) -> Self {
        Self { payload: payload.into(), sent: now }
    }

    /// The time from the Ping to now, if `pong` answers it.
    pub(super) fn round_trip(&self, pong: &[u8], now: Instant) -> Option<Duration> {
        (*self.payload == *pong).then(|| now.saturating_duration_since(self.sent))
    }
}
