//! What is kept of what a client was told, against a model that keeps everything.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use antiphon_hub::Replay;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Act {
    /// A message of so many bytes.
    Push(usize),
    Ack(u64),
}

/// All there has been, and from where on it is kept.
struct Model {
    messages: Vec<Bytes>,
    from: usize,
    limit: usize,
}

impl Model {
    fn bytes(&self) -> usize {
        self.messages[self.from..].iter().map(Bytes::len).sum()
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Push(len) => {
                self.messages.push(vec![self.messages.len() as u8; len].into());
                while self.bytes() > self.limit {
                    self.from += 1;
                }
            }
            Act::Ack(count) => self.from = self.from.max(self.messages.len().min(count as usize)),
        }
    }
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![3 => (0..40usize).prop_map(Act::Push), 1 => (0..60u64).prop_map(Act::Ack)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_the_model_keeps(limit in 0..200usize, acts in vec(acts(), 1..60)) {
        let mut replay = Replay::new(limit);
        let mut model = Model { messages: vec![], from: 0, limit };
        for act in acts {
            model.act(&act);
            match act {
                Act::Push(_) => replay.push(model.messages.last().unwrap().clone()),
                Act::Ack(count) => replay.ack(count),
            }
            let count = model.messages.len();
            prop_assert_eq!(
                (replay.count(), replay.dropped(), replay.bytes()),
                (count as u64, model.from as u64, model.bytes())
            );
            for after in 0..=count + 1 {
                let given = replay.after(after as u64).map(|messages| messages.cloned().collect::<Vec<_>>());
                let expected = (model.from..=count).contains(&after).then(|| model.messages[after..].to_vec());
                prop_assert_eq!(given, expected, "after {}", after);
            }
        }
    }
}
