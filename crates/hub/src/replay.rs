//! What a client was told and may not have had.

use std::collections::VecDeque;

use bytes::Bytes;

/// The messages of a session that its client has not acknowledged, in their order. They are numbered from 1, by counting.
///
/// What is kept is bounded: above the limit the oldest are dropped, which hurts only a client that turns out to lack them.
#[derive(Debug)]
pub struct Replay {
    /// The last of them is the newest.
    messages: VecDeque<Bytes>,
    bytes: usize,
    limit: usize,
    /// How many there have been.
    count: u64,
}

impl Replay {
    /// With room for so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, limit, count: 0 }
    }

    /// How many messages there have been.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are not kept.
    pub fn dropped(&self) -> u64 {
        self.count - self.messages.len() as u64
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps one more.
    pub fn push(&mut self, message: Bytes) {
        self.bytes += message.len();
        self.count += 1;
        self.messages.push_back(message);
        while self.bytes > self.limit {
            self.drop_oldest();
        }
    }

    /// The client has had so many: they need not be kept.
    pub fn ack(&mut self, count: u64) {
        while self.dropped() < count && !self.messages.is_empty() {
            self.drop_oldest();
        }
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
    }

    /// The messages after the first `count`. `None` where some of them are not kept, or there have not been so many.
    pub fn after(&self, count: u64) -> Option<impl Iterator<Item = &Bytes>> {
        let skipped = count.checked_sub(self.dropped()).filter(|_| count <= self.count)?;
        Some(self.messages.iter().skip(usize::try_from(skipped).ok()?))
    }

    fn drop_oldest(&mut self) {
        if let Some(message) = self.messages.pop_front() {
            self.bytes -= message.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(replay: &Replay, count: u64) -> Option<Vec<&[u8]>> {
        replay.after(count).map(|messages| messages.map(|message| &**message).collect())
    }

    #[test]
    fn what_is_not_acknowledged_comes_again() {
        let mut replay = Replay::new(100);
        assert_eq!(after(&replay, 0), Some(vec![]));
        assert_eq!(after(&replay, 1), None);
        for message in ["a", "b", "c"] {
            replay.push(message.into());
        }
        assert_eq!(after(&replay, 0).unwrap(), [b"a", b"b", b"c"]);
        assert_eq!(after(&replay, 2).unwrap(), [b"c"]);
        assert_eq!(after(&replay, 3), Some(vec![]));
        assert_eq!(after(&replay, 4), None);
        replay.ack(2);
        assert_eq!((replay.bytes(), replay.dropped(), replay.count()), (1, 2, 3));
        assert_eq!(after(&replay, 1), None);
        assert_eq!(after(&replay, 2).unwrap(), [b"c"]);
        // More than there have been, and less than before.
        replay.ack(9);
        replay.ack(1);
        assert_eq!((replay.bytes(), replay.dropped()), (0, 3));
        replay.push("d".into());
        assert_eq!(after(&replay, 3).unwrap(), [b"d"]);
    }

    #[test]
    fn the_oldest_are_dropped_above_the_limit() {
        let mut replay = Replay::new(5);
        for message in ["aa", "bb", "cc"] {
            replay.push(message.into());
        }
        assert_eq!((replay.bytes(), replay.dropped()), (4, 1));
        assert_eq!(after(&replay, 0), None);
        assert_eq!(after(&replay, 1).unwrap(), [b"bb", b"cc"]);
        replay.push("too long".into());
        assert_eq!((replay.bytes(), replay.dropped()), (0, 4));
        assert_eq!(after(&replay, 3), None);
        assert_eq!(after(&replay, 4), Some(vec![]));
    }
}
