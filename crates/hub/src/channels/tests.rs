//! Channels without sockets: members that write down what they get.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use antiphon_proto::Prepared;

use super::place::{Place, Taken};
use super::post::{Form, Post};
use super::*;
use crate::backend::{Events, Occurrence};
use crate::clock::ManualClock;
use crate::data::Data;
use crate::engine::{Event, Publication, Sink as _};
use crate::filter::FilterNode;
use crate::metrics::Metrics;
use crate::protocol::{ClientInfo, Disconnect, Encoding, Position};

#[derive(Default)]
struct Inbox {
    got: RefCell<Vec<String>>,
    lost: RefCell<Vec<String>>,
    orders: Cell<u32>,
    is_queued: Cell<bool>,
    flushes: Cell<u32>,
}

impl Member for Inbox {
    fn queue(&self, frame: &Prepared) -> bool {
        self.got.borrow_mut().push(String::from_utf8_lossy(frame.payload()).into_owned());
        !self.is_queued.replace(true)
    }

    fn flush(&self) {
        assert!(self.is_queued.replace(false), "nothing to flush");
        self.flushes.set(self.flushes.get() + 1);
    }

    fn lost(&self, channel: &str) {
        self.lost.borrow_mut().push(channel.to_owned());
    }

    fn order(&self, _: &Arc<Control>) {
        self.orders.set(self.orders.get() + 1);
    }
}

fn wants(encoding: Option<Encoding>) -> Wants {
    Wants { encoding, join_leave: false, delta: false, filter: None }
}

fn publication(offset: u64, text: &str) -> Arc<Publication> {
    let data = Data::Text(text.to_owned().into());
    Arc::new(Publication { data, info: None, tags: BTreeMap::new(), offset, time: 0 })
}

fn text(text: &str) -> Event {
    Event::Publication { publication: publication(0, text), previous: None, epoch: "".into() }
}

fn local(hub: &Arc<Hub>, worker: WorkerId) -> Rc<Local> {
    Local::new(Arc::clone(hub), Arc::<Metrics>::default(), worker)
}

#[test]
fn members_get_what_is_published_while_they_are_there() {
    let hub = Arc::new(Hub::new(1));
    let local = local(&hub, 0);
    let (raw, json) = (Rc::<Inbox>::default(), Rc::<Inbox>::default());
    hub.deliver("a", text("before"));
    let in_raw = local.join("a", raw.clone(), wants(None), false);
    let in_json = local.join("a", json.clone(), wants(Some(Encoding::Json)), false);
    hub.deliver("a", text("1"));
    hub.deliver("b", text("2"));
    hub.deliver("a", text("3"));
    local.deliver();
    drop(in_raw);
    hub.deliver("a", text("4"));
    local.deliver();
    drop(in_json);
    hub.deliver("a", text("5"));
    local.deliver();
    assert_eq!(*raw.got.borrow(), ["1", "3"]);
    assert_eq!(raw.flushes.get(), 1, "one flush for both");
    let push = |data: u8| format!(r#"{{"push":{{"channel":"a","pub":{{"data":{data}}}}}}}"#);
    assert_eq!(*json.got.borrow(), [push(1), push(3), push(4)]);
    assert_eq!(Rc::strong_count(&raw), 1, "no channel holds a member that left");
    assert_eq!(Rc::strong_count(&json), 1);
    assert_eq!(hub.channel_count(), 0);
}

#[test]
fn what_came_before_a_member_is_not_for_it() {
    let hub = Arc::new(Hub::new(1));
    let local = local(&hub, 0);
    let (first, second) = (Rc::<Inbox>::default(), Rc::<Inbox>::default());
    let _first = local.join("a", first.clone(), wants(None), false);
    hub.deliver("a", text("1"));
    let _second = local.join("a", second.clone(), wants(None), false);
    hub.deliver("a", text("2"));
    local.deliver();
    assert_eq!(*first.got.borrow(), ["1", "2"]);
    assert_eq!(*second.got.borrow(), ["2"]);
}

#[test]
fn a_loss_is_told_once() {
    let hub = Arc::new(Hub::new(1));
    let local = local(&hub, 0);
    let inbox = Rc::<Inbox>::default();
    let membership = local.join("a", inbox.clone(), wants(Some(Encoding::Json)), true);
    let at = Position { offset: 1, epoch: "e".into() };
    assert!(membership.release(Some(at), false));
    let kept = |offset| Event::Publication {
        publication: publication(offset, "x"),
        previous: None,
        epoch: "e".into(),
    };
    [2, 4, 5, 9].map(kept).into_iter().for_each(|event| hub.deliver("a", event));
    local.deliver();
    assert_eq!((inbox.got.borrow().len(), &*inbox.lost.borrow()), (1, &vec!["a".to_owned()]));
    assert!(membership.is_lost());
}

/// Orders and events are handed out in the order in which they were posted.
#[test]
fn orders_reach_clients_by_id_and_by_user() {
    let hub = Arc::new(Hub::new(1));
    let local = local(&hub, 0);
    let clients = [("1", "ada"), ("2", "ada"), ("3", "")].map(|(id, user)| {
        let inbox = Rc::<Inbox>::default();
        local.enter(&id.into(), &user.into(), id.parse().unwrap(), inbox.clone());
        inbox
    });
    let before = Cell::new(None);
    let order = |user: Option<&str>, client: Option<&str>| {
        let (user, client) = (user.map(Into::into), client.map(Into::into));
        let whom = Whom { user, client, before: before.get(), ..Whom::default() };
        hub.control(Control { whom, order: Order::Disconnect(Disconnect::SHUTDOWN) });
        local.deliver();
        clients.each_ref().map(|inbox| inbox.orders.take())
    };
    assert_eq!(order(Some("ada"), None), [1, 1, 0]);
    assert_eq!(order(Some(""), None), [0, 0, 1]);
    assert_eq!(order(None, Some("2")), [0, 1, 0]);
    assert_eq!(order(Some("bob"), None), [0, 0, 0]);
    assert_eq!(order(Some("ada"), Some("2")), [0, 1, 0]);
    assert_eq!(order(Some(""), Some("2")), [0, 0, 0]);
    assert_eq!(order(Some(""), Some("3")), [0, 0, 1]);
    assert_eq!(order(Some("ada"), Some("3")), [0, 0, 0]);
    before.set(Some(2));
    assert_eq!(order(Some("ada"), None), [1, 0, 0]);
    before.set(None);
    local.exit("1", "ada");
    assert_eq!(order(Some("ada"), None), [0, 1, 0]);
    local.exit("1", "ada");
    assert_eq!(Rc::strong_count(&clients[0]), 1);
}

#[test]
fn the_first_and_the_last_member_of_a_channel_are_told() {
    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<String>>);

    impl Events for Told {
        fn tell(&self, event: Occurrence<'_>) {
            self.0.lock().unwrap().push(match event {
                Occurrence::Occupied { channel } => format!("+{channel}"),
                Occurrence::Vacated { channel } => format!("-{channel}"),
                other => format!("{other:?}"),
            });
        }
    }

    let hub = Arc::new(Hub::new(2));
    let told = Arc::<Told>::default();
    hub.report_to(told.clone(), Arc::<ManualClock>::default());
    let (one, two) = (local(&hub, 0), local(&hub, 1));
    let join = |local: &Rc<Local>| local.join("a", Rc::<Inbox>::default(), wants(None), false);
    let members = [join(&one), join(&one), join(&two)];
    assert_eq!(hub.channels(|_| true), [("a".to_owned(), 3)]);
    let [first, second, third] = members;
    drop(first);
    drop(third);
    assert_eq!(*told.0.lock().unwrap(), ["+a"]);
    drop(second);
    drop(join(&two));
    assert_eq!(*told.0.lock().unwrap(), ["+a", "-a", "+a", "-a"]);
}

#[test]
fn all_members_see_one_order_whatever_the_worker() {
    const EACH: usize = 2000;
    const WORKERS: u16 = 3;
    let hub = Arc::new(Hub::new(WORKERS));
    let (seen, all) = mpsc::channel();
    let start = Arc::new(Barrier::new(WORKERS.into()));
    for worker in 0..WORKERS {
        let (hub, seen, start) = (Arc::clone(&hub), seen.clone(), Arc::clone(&start));
        thread::spawn(move || {
            let local = local(&hub, worker);
            let inbox = Rc::<Inbox>::default();
            let _membership = local.join("a", inbox.clone(), wants(None), false);
            start.wait();
            for n in 0..EACH {
                hub.deliver("a", text(&format!("{worker}:{n}")));
                local.deliver();
            }
            while inbox.got.borrow().len() < EACH * usize::from(WORKERS) {
                local.deliver();
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

/// What happens to a place.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It is released at an offset of the stream `e`, and has the publication there or not.
    Release(u64, bool),
    /// It is released, and has no place in the stream.
    ReleaseLive,
    /// A publication with this offset, in this stream, that comes after one with that offset.
    Publication(u64, &'static str, u64),
    /// The same, tagged so that the filter lets it through.
    Tagged(u64, &'static str, u64),
    /// One that is too large to be held with others.
    Large(u64),
    Join,
}

use Step::{Join, Large, Publication as Pub, Release, ReleaseLive, Tagged};

fn post(step: Step) -> Arc<Post> {
    let make = |offset: u64, text: &str, epoch: &str, before: u64, tag: Option<&str>| {
        let mut publication = Arc::unwrap_or_clone(publication(offset, text));
        publication.tags.extend(tag.map(|tag| (tag.to_owned(), String::new())));
        let previous = (before > 0).then(|| self::publication(before, "x"));
        Event::Publication { publication: Arc::new(publication), previous, epoch: epoch.into() }
    };
    let event = match step {
        Pub(offset, epoch, before) => make(offset, "x", epoch, before, None),
        Tagged(offset, epoch, before) => make(offset, "x", epoch, before, Some("tag")),
        Large(offset) => make(offset, &"x".repeat(400_000), "e", 0, None),
        Join | Release(..) | ReleaseLive => Event::Join(Arc::new(ClientInfo::default())),
    };
    Arc::new(Post::new("a", event, 0))
}

/// What is taken in each step: offsets, `d` before a difference; `j` for a join; `-` for nothing; `!` for a loss.
fn play(wants: Wants, steps: &[Step]) -> String {
    let place = Place::new(Rc::<Inbox>::default(), wants, true);
    let say = |post: &Arc<Post>| match (place.take(post), &post.event) {
        (Taken::Nothing, _) => "-".to_owned(),
        (Taken::Lost, _) => "!".to_owned(),
        (Taken::Frame(form), Event::Publication { publication, .. }) => {
            let is_patch = matches!(form, Form::JsonPatch | Form::ProtobufPatch);
            format!("{}{}", if is_patch { "d" } else { "" }, publication.offset)
        }
        (Taken::Frame(_), _) => "j".to_owned(),
    };
    let mut said = Vec::new();
    for step in steps {
        let held = match *step {
            Release(offset, has_base) => {
                place.release(Some(Position { offset, epoch: "e".into() }), has_base)
            }
            ReleaseLive => place.release(None, false),
            other => vec![post(other)],
        };
        said.push(held.iter().map(say).collect::<Vec<_>>().join(","));
    }
    said.join(" ")
}

#[test]
fn a_place_lets_each_publication_through_once_and_in_order() {
    for (steps, expected) in [
        // What was held and is not newer than the answer is dropped; the rest follows it.
        (
            &[Pub(1, "e", 0), Pub(2, "e", 0), Pub(3, "e", 0), Release(2, false), Pub(4, "e", 0)][..],
            "- - - -,-,3 4",
        ),
        (&[Release(0, false), Pub(1, "e", 0), Pub(2, "e", 0)], " 1 2"),
        // What comes again is dropped.
        (&[Release(2, false), Pub(2, "e", 0), Pub(1, "e", 0), Pub(3, "e", 0), Pub(3, "e", 0)], " - - 3 -"),
        // After a gap nothing comes.
        (&[Release(2, false), Pub(4, "e", 0), Pub(3, "e", 0), Pub(5, "e", 0)], " ! - -"),
        (&[Pub(4, "e", 0), Pub(5, "e", 0), Release(2, false), Pub(6, "e", 0)], "- - !,- -"),
        // Nor in another stream.
        (&[Release(2, false), Pub(3, "f", 0), Pub(3, "e", 0)], " ! -"),
        (&[Pub(3, "f", 0), Release(2, false), Pub(3, "e", 0)], "- ! -"),
        // What is not kept has no place in the stream.
        (&[Pub(0, "", 0), Release(2, false), Pub(0, "", 0), Pub(3, "e", 0)], "- 0 0 3"),
        // Without a place in the stream, all comes as it comes.
        (&[Pub(2, "e", 0), ReleaseLive, Pub(4, "e", 0), Pub(1, "f", 0)], "- 2 4 1"),
        // Who joins is told in between, to those who want to know.
        (&[Join, Pub(3, "e", 0), Release(2, false), Join], "- - j,3 j"),
        // What is held is bounded: then nothing comes, whatever the answer was.
        (&[Large(1), Large(2), Large(3), Large(4), Release(4, false), Pub(5, "e", 0)], "- - ! -  -"),
        (&[Large(1), Large(2), Large(3), ReleaseLive, Pub(5, "e", 0)], "- - !  -"),
    ] {
        let wants = Wants { join_leave: true, ..wants(Some(Encoding::Json)) };
        assert_eq!(play(wants, steps), expected, "{steps:?}");
    }
    assert_eq!(play(wants(Some(Encoding::Json)), &[ReleaseLive, Join]), " -");
    let raw = Wants { join_leave: true, ..wants(None) };
    assert_eq!(play(raw, &[ReleaseLive, Join, Pub(1, "e", 0)]), " - 1", "raw data is data alone");
}

#[test]
fn a_difference_is_to_what_the_member_was_given_before() {
    for (steps, expected) in [
        (&[Release(2, false), Pub(3, "e", 2), Pub(4, "e", 3), Pub(5, "e", 4)][..], " 3 d4 d5"),
        // The answer ended with the publication at the position.
        (&[Release(2, true), Pub(3, "e", 2), Pub(4, "e", 3)], " d3 d4"),
        (&[Pub(2, "e", 1), Pub(3, "e", 2), Release(2, true), Pub(4, "e", 3)], "- - -,d3 d4"),
        // The engine hands on none before the first, and none after the history was removed.
        (&[Release(0, true), Pub(1, "e", 0), Pub(2, "e", 1), Pub(3, "e", 0), Pub(4, "e", 3)], " 1 d2 3 d4"),
        // What is not kept lies between.
        (&[Release(2, true), Pub(0, "", 0), Pub(3, "e", 2), Pub(4, "e", 3)], " 0 3 d4"),
        // Without a place in the stream, something may have been missed.
        (&[ReleaseLive, Pub(3, "e", 2), Pub(4, "e", 3), Pub(6, "e", 5), Pub(7, "e", 6)], " 3 d4 6 d7"),
    ] {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let wants = Wants { delta: true, ..wants(Some(encoding)) };
            assert_eq!(play(wants, steps), expected, "{steps:?}");
        }
    }
    // Where a filter kept something back, the next is whole.
    let filter = FilterNode { key: "tag".into(), cmp: "ex".into(), ..FilterNode::default() };
    let steps = [
        Release(2, true),
        Tagged(3, "e", 2),
        Pub(4, "e", 3),
        Tagged(5, "e", 4),
        Tagged(6, "e", 5),
        Pub(8, "e", 7),
    ];
    let wants = Wants { delta: true, filter: Some(Box::new(filter)), ..wants(Some(Encoding::Json)) };
    assert_eq!(play(wants, &steps), " d3 - 5 d6 !", "and what it keeps back is not missed");
}
