//! Bytes that wait to be written.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// A buffer up to this size is kept when all is written; a larger one is given back to the allocator.
const KEPT: usize = 512;

/// Bytes that wait to be written, in order: a [`Buf`] whose chunks suit one vectored write.
///
/// Small things are copied one behind the other, large and shared ones are referred to. When all is written it holds no
/// memory to speak of. A driver with many connections lends one buffer to whichever is having its turn.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What was copied, from `start` on.
    copied: Vec<u8>,
    start: usize,
    /// Whether the buffer is somebody else's: then it is not freed here.
    lent: bool,
    /// The order of copied and shared bytes, while there are shared ones; empty while all is copied.
    runs: VecDeque<Run>,
    /// All that waits.
    waiting: usize,
}

#[derive(Debug)]
enum Run {
    /// So many of the copied bytes.
    Copied(usize),
    Shared(Bytes),
}

impl Outbox {
    /// Lends a buffer, for what will be copied from now on. Given back by [`reclaim`](Self::reclaim).
    ///
    /// While something waits in a buffer of the outbox's own, the lent one is answered back at once.
    #[must_use = "a buffer that is not taken is to be kept"]
    pub fn lend(&mut self, mut buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.copied.len() > self.start {
            return Some(buffer);
        }
        buffer.clear();
        self.copied = buffer;
        self.start = 0;
        self.lent = true;
        None
    }

    /// Takes the lent buffer back, and keeps what still waits in one of its own that just fits.
    pub fn reclaim(&mut self) -> Vec<u8> {
        let rest = self.copied.get(self.start..).unwrap_or_default().to_vec();
        self.start = 0;
        self.lent = false;
        std::mem::replace(&mut self.copied, rest)
    }

    /// Gives the buffer back to the allocator, where nothing waits in it and it is the outbox's own.
    pub fn release(&mut self) {
        if self.waiting == 0 && !self.lent {
            self.copied = Vec::new();
            self.start = 0;
        }
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether [`chunk`](Buf::chunk) is all that waits.
    pub fn is_contiguous(&self) -> bool {
        self.runs.is_empty()
    }

    /// Lets `write` append to what is copied.
    pub(crate) fn copy(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        // What has been written stands in front; moving the rest there costs less than growing without end.
        if self.start > 4096 && self.start >= self.copied.len() / 2 {
            self.copied.drain(..self.start);
            self.start = 0;
        }
        let before = self.copied.len();
        write(&mut self.copied);
        let added = self.copied.len().saturating_sub(before);
        // An empty run would be an empty chunk in front of what waits.
        if added == 0 {
            return;
        }
        self.waiting += added;
        match self.runs.back_mut() {
            Some(Run::Copied(run)) => *run += added,
            Some(Run::Shared(_)) => self.runs.push_back(Run::Copied(added)),
            None => {}
        }
    }

    /// Appends bytes that others hold as well.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if self.runs.is_empty() && self.waiting > 0 {
            self.runs.push_back(Run::Copied(self.waiting));
        }
        self.waiting += bytes.len();
        self.runs.push_back(Run::Shared(bytes));
    }

    /// Throws away what waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn unwritten(&self) -> &[u8] {
        self.copied.get(self.start..).unwrap_or_default()
    }

    fn advance_copied(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.copied.len() {
            self.start = 0;
            self.copied.clear();
            if self.copied.capacity() > KEPT && !self.lent {
                self.copied = Vec::new();
            }
        }
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.waiting
    }

    fn chunk(&self) -> &[u8] {
        match self.runs.front() {
            None => self.unwritten(),
            Some(Run::Copied(run)) => self.unwritten().get(..*run).unwrap_or_default(),
            Some(Run::Shared(bytes)) => bytes,
        }
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        if self.runs.is_empty() {
            let Some(slot) = into.first_mut().filter(|_| self.waiting > 0) else { return 0 };
            *slot = IoSlice::new(self.unwritten());
            return 1;
        }
        let mut copied = self.unwritten();
        let mut used = 0;
        for (slot, run) in into.iter_mut().zip(&self.runs) {
            *slot = IoSlice::new(match run {
                Run::Copied(run) => copied.split_off(..*run).unwrap_or_default(),
                Run::Shared(bytes) => bytes,
            });
            used += 1;
        }
        used
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.waiting, "cannot advance by {count} bytes: {} wait", self.waiting);
        self.waiting -= count;
        let mut left = count;
        while let Some(run) = self.runs.front_mut() {
            let (length, copied) = match run {
                Run::Copied(run) => (*run, true),
                Run::Shared(bytes) => (bytes.len(), false),
            };
            let written = left.min(length);
            left -= written;
            match run {
                Run::Copied(run) => *run -= written,
                Run::Shared(bytes) => bytes.advance(written),
            }
            if written == length {
                self.runs.pop_front();
            }
            if copied {
                self.advance_copied(written);
            }
            if left == 0 {
                break;
            }
        }
        self.advance_copied(left);
        if self.runs.is_empty() && self.runs.capacity() > 0 {
            self.runs = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gather(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let used = outbox.chunks_vectored(&mut slices);
        slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[derive(Clone, Debug)]
    enum Op {
        Copy(Vec<u8>),
        Share(Vec<u8>),
        Advance(usize),
        /// As a write of one chunk does.
        AdvanceChunk,
        Lend,
        Reclaim,
    }

    fn op() -> impl Strategy<Value = Op> {
        let some = || prop::collection::vec(any::<u8>(), 1..600);
        let bytes = move || prop_oneof![3 => some(), 1 => Just(Vec::new())];
        prop_oneof![
            bytes().prop_map(Op::Copy),
            bytes().prop_map(Op::Share),
            (0usize..2000).prop_map(Op::Advance),
            Just(Op::AdvanceChunk),
            Just(Op::Lend),
            Just(Op::Reclaim),
        ]
    }

    #[test]
    fn nothing_is_no_chunk() {
        let mut outbox = Outbox::default();
        outbox.share("a".into());
        outbox.copy(|_| {});
        outbox.share(Bytes::new());
        outbox.share("b".into());
        outbox.advance(1);
        assert_eq!(outbox.chunk(), b"b");
    }

    proptest! {
        #[test]
        fn is_a_queue_of_bytes(ops in prop::collection::vec(op(), 0..40)) {
            let mut outbox = Outbox::default();
            let mut model = Vec::new();
            let mut lent = false;
            for op in ops {
                match op {
                    Op::Copy(bytes) => {
                        outbox.copy(|out| out.extend_from_slice(&bytes));
                        model.extend(bytes);
                    }
                    Op::Share(bytes) => {
                        model.extend_from_slice(&bytes);
                        outbox.share(bytes.into());
                    }
                    Op::Advance(count) => {
                        let count = count.min(model.len());
                        outbox.advance(count);
                        model.drain(..count);
                    }
                    Op::AdvanceChunk => {
                        let count = outbox.chunk().len();
                        outbox.advance(count);
                        model.drain(..count);
                    }
                    Op::Lend if !lent => lent = outbox.lend(Vec::with_capacity(4096)).is_none(),
                    Op::Reclaim if lent => {
                        outbox.reclaim();
                        lent = false;
                    }
                    Op::Lend | Op::Reclaim => {}
                }
                prop_assert_eq!(outbox.len(), model.len());
                let seen = gather(&outbox);
                prop_assert_eq!(&seen[..], &model[..seen.len()]);
                prop_assert_eq!(outbox.chunk().is_empty(), model.is_empty());
            }
            outbox.advance(model.len());
            prop_assert_eq!(outbox.runs.capacity(), 0);
        }
    }
}
