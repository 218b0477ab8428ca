//! Channels without sockets: members that write down what they get.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;

use antiphon_proto::Prepared;

use super::*;

struct Inbox {
    encoding: Encoding,
    got: RefCell<Vec<String>>,
    queued: Cell<bool>,
    flushes: Cell<u32>,
}

impl Inbox {
    fn new(encoding: Encoding) -> Rc<Self> {
        Rc::new(Self { encoding, got: RefCell::default(), queued: Cell::new(false), flushes: Cell::new(0) })
    }
}

impl Member for Inbox {
    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn queue(&self, frame: &Prepared) -> bool {
        self.got.borrow_mut().push(String::from_utf8_lossy(frame.payload()).into_owned());
        !self.queued.replace(true)
    }

    fn flush(&self) {
        assert!(self.queued.replace(false), "nothing to flush");
        self.flushes.set(self.flushes.get() + 1);
    }
}

fn text(channel: &str, text: &str) -> Publication {
    Publication::new(channel, Payload::Text(text.into()), None)
}

#[test]
fn members_get_what_is_published_while_they_are_there() {
    let fanout = Fanout::new(Arc::new(Hub::new(1)), 0);
    let (raw, json) = (Inbox::new(Encoding::Raw), Inbox::new(Encoding::Json));
    fanout.publish(text("a", "before"));
    let in_raw = fanout.join("a", raw.clone());
    let in_json = fanout.join("a", json.clone());
    fanout.publish(text("a", "1"));
    fanout.publish(text("b", "2"));
    fanout.publish(text("a", "3"));
    fanout.deliver();
    fanout.leave("a", in_raw);
    fanout.publish(text("a", "4"));
    fanout.deliver();
    fanout.leave("a", in_json);
    fanout.publish(text("a", "5"));
    fanout.deliver();
    assert_eq!(*raw.got.borrow(), ["1", "3"]);
    assert_eq!(raw.flushes.get(), 1, "one flush for both");
    let push = |data: u8| format!(r#"{{"push":{{"channel":"a","pub":{{"data":{data}}}}}}}"#);
    assert_eq!(*json.got.borrow(), [push(1), push(3), push(4)]);
    assert_eq!(Rc::strong_count(&raw), 1, "no channel holds a member that left");
    assert_eq!(Rc::strong_count(&json), 1);
}

#[test]
fn all_members_see_one_order_whatever_the_worker() {
    const EACH: usize = 2000;
    const WORKERS: u16 = 3;
    let hub = Arc::new(Hub::new(WORKERS));
    let (seen, all) = mpsc::channel();
    let start = Arc::new(std::sync::Barrier::new(WORKERS.into()));
    for worker in 0..WORKERS {
        let (hub, seen, start) = (Arc::clone(&hub), seen.clone(), Arc::clone(&start));
        thread::spawn(move || {
            let fanout = Fanout::new(hub, worker);
            let inbox = Inbox::new(Encoding::Raw);
            fanout.join("a", inbox.clone());
            start.wait();
            for n in 0..EACH {
                fanout.publish(text("a", &format!("{worker}:{n}")));
                fanout.deliver();
            }
            while inbox.got.borrow().len() < EACH * usize::from(WORKERS) {
                fanout.deliver();
                thread::yield_now();
            }
            seen.send(inbox.got.take()).unwrap();
        });
    }
    drop(seen);
    let orders: Vec<_> = all.iter().collect();
    assert_eq!(orders.len(), usize::from(WORKERS));
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
    for worker in 0..WORKERS {
        let own = orders[0].iter().filter(|post| post.starts_with(&format!("{worker}:")));
        assert!(
            own.cloned().eq((0..EACH).map(|n| format!("{worker}:{n}"))),
            "each publisher's order is kept"
        );
    }
}
