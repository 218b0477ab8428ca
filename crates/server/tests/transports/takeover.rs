//! A session that changes its transport.

use antiphon_hub::protocol::Encoding;
use serde_json::{Value, json};

use crate::channel::{subscribe, watcher};
use crate::link::{End, Link, Transport, Way, over};
use crate::rig::{Rig, token};

/// Every way with every other of the same encoding.
fn pairs() -> Vec<(Way, Way)> {
    let ways = Way::with_session();
    let all = ways.iter().flat_map(|from| ways.iter().map(|to| (*from, *to)));
    all.filter(|(from, to)| from.encoding == to.encoding).collect()
}

/// What a client heard of a channel: offsets, and the ids of replies.
#[derive(Debug, Default, PartialEq)]
struct Notes {
    offsets: Vec<u64>,
    replies: Vec<u64>,
}

impl Notes {
    fn hear(&mut self, link: &mut Link) {
        let message = link.hear();
        match message["id"].as_u64() {
            Some(id) => {
                assert_eq!(message.get("error"), None, "{message}");
                self.replies.push(id);
            }
            None => self.offsets.push(message["push"]["pub"]["offset"].as_u64().unwrap()),
        }
    }
}

/// Changes over while publications and commands are under way.
fn change(rig: &Rig, from: Way, to: Way, drops: bool) {
    let channel = &*format!("{}>{}-{drops}", from.name(), to.name());
    let publish = |text: &str| json!({ "publish": { "channel": channel, "data": text } });
    let mut watcher = watcher(rig, channel);
    let mut old = Link::open(rig, from);
    subscribe(&mut old, json!({ "channel": channel }));
    assert_eq!(watcher.push("join")["info"]["client"], old.client());

    let mut notes = Notes::default();
    (0..3).for_each(|number| rig.publish(channel, json!(number)));
    notes.hear(&mut old);
    let mut ids = vec![old.say(publish("one")), old.say(publish("two"))];
    let (client, secret) = (old.client().to_owned(), old.secret().to_owned());
    let mut new = old.go_on(to, json!({}));
    let mut left = Some(old);
    if drops {
        left = None;
    }
    rig.publish(channel, json!(3));
    new.welcome();
    assert_eq!((new.client(), new.secret()), (&*client, &*secret), "{}", new.connected);
    assert_eq!(new.connected["resumed"], true);
    assert_eq!(new.connected.get("subs"), None);
    ids.push(new.say(publish("three")));
    rig.publish(channel, json!(4));
    while notes.replies.len() < 3 || notes.offsets.len() < 8 {
        notes.hear(&mut new);
    }
    assert_eq!(notes, Notes { offsets: (1..=8).collect(), replies: ids });
    let reply = new.ask(json!({ "presence": { "channel": channel } }));
    let present = reply["presence"]["presence"].as_object().unwrap();
    let mut expected = [watcher.client(), &*client];
    expected.sort_unstable();
    assert_eq!(present.keys().collect::<Vec<_>>(), expected);

    for offset in 1..=8 {
        assert_eq!(watcher.push("pub")["offset"], offset, "and neither join nor leave");
    }
    rig.publish(channel, json!("last"));
    assert_eq!(watcher.publication(), "last");
    assert_eq!(new.publication(), "last");
    if let Some(mut old) = left.filter(Link::listens) {
        let end = loop {
            match old.next() {
                Ok(_) => {}
                Err(end) => break end,
            }
        };
        let expected = match from.transport.is_socket() {
            true => End::Said(1000, "the session goes on elsewhere".into()),
            false => End::Silent,
        };
        assert_eq!(end, expected);
        assert_eq!(new.ask(publish("x"))["publish"], json!({}), "that end did not end the session");
    }
}

#[test]
fn every_transport_gives_way_to_every_other_on_one_worker() {
    let rig = Rig::with_workers("1", &[]);
    for (from, to) in pairs() {
        over(vec![from], |from| over(vec![to], |to| change(&rig, from, to, false)));
    }
}

/// The operating system spreads connections, so some of these cross and some do not.
#[test]
fn every_transport_gives_way_to_every_other_across_workers() {
    let rig = Rig::with_workers("2", &[]);
    for (from, to) in pairs() {
        over(vec![from], |from| {
            over(vec![to], |to| [false, true].into_iter().for_each(|drops| change(&rig, from, to, drops)))
        });
    }
}

#[test]
fn a_session_wanders() {
    let rig = Rig::start();
    let mut watcher = watcher(&rig, "way");
    let mut link = Link::open(&rig, Way::json(Transport::WebSocket));
    subscribe(&mut link, json!({ "channel": "way" }));
    watcher.push("join");
    let client = link.client().to_owned();
    let mut notes = Notes::default();
    let mut ids = Vec::new();
    for step in 0..60 {
        rig.publish("way", json!(step));
        ids.push(link.say(json!({ "publish": { "channel": "way", "data": "mine" } })));
        let transport = Transport::ALL[(step * 3 + step / 7) % Transport::ALL.len()];
        link = link.go_on(Way::json(transport), json!({}));
        link.welcome();
        assert_eq!((link.client(), &link.connected["resumed"]), (&*client, &json!(true)), "{transport:?}");
        if step % 3 == 0 {
            notes.hear(&mut link);
        }
    }
    while notes.replies.len() < 60 || notes.offsets.len() < 120 {
        notes.hear(&mut link);
    }
    assert_eq!(notes, Notes { offsets: (1..=120).collect(), replies: ids });
    (1..=120).for_each(|offset| assert_eq!(watcher.push("pub")["offset"], offset));
}

#[test]
fn nobody_else_takes_a_session_over() {
    let rig = Rig::start();
    over(Way::with_session(), |way| {
        let channel = &*way.name();
        let owner = |user: &str| json!({ "token": token(user, json!({})) });
        let mut link = Link::open_with(&rig, way, owner("ada"));
        subscribe(&mut link, json!({ "channel": channel }));
        let mut other = way;
        other.encoding = match way.encoding {
            Encoding::Json => Encoding::Protobuf,
            Encoding::Protobuf => Encoding::Json,
        };
        let mut tries = vec![(way, owner("bob")), (way, json!({}))];
        if other.transport.encodings().contains(&other.encoding) {
            tries.push((other, owner("ada")));
        }
        for (way, connect) in tries {
            let mut thief = link.go_on(way, connect.clone());
            thief.welcome();
            assert_eq!(thief.connected.get("resumed"), None, "{connect}");
            assert_ne!(thief.client(), link.client());
            assert_ne!(thief.secret(), link.secret());
            subscribe(&mut thief, json!({ "channel": "a" }));
            rig.publish(channel, connect.clone());
            assert_eq!(link.publication(), connect, "it goes on");
        }
        let mut again = link.go_on(way, owner("ada"));
        again.welcome();
        assert_eq!(again.connected["resumed"], true);

        let mut guess = Link::begin(rig.port(), way, json!({ "session": "AAAAAAAAAAAAAAAAAAAAAA" }));
        guess.welcome();
        assert_eq!(guess.connected.get("resumed"), None);
        let stale = json!({ "session": again.secret(), "token": "junk" });
        assert_eq!(Link::begin(rig.port(), way, stale).end(), End::Said(3500, "invalid token".into()));
        subscribe(&mut again, json!({ "channel": "b" }));
    });
}

#[test]
fn a_session_that_waited_too_long_is_over() {
    let rig = Rig::with(&[("CLIENT__SESSION_TTL", "300ms")]);
    let mut pasts: Vec<(Link, Link)> = Vec::new();
    over(Way::with_session(), |way| {
        let mut watcher = watcher(&rig, &way.name());
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": way.name() }));
        watcher.push("join");
        link.poll();
        pasts.push((watcher, link));
    });
    for (mut watcher, link) in pasts {
        rig.publish(&link.way.name(), json!("it is still there"));
        watcher.push("pub");
        let (way, client, secret) = (link.way, link.client().to_owned(), link.secret().to_owned());
        drop(link);
        assert_eq!(watcher.push("leave")["info"]["client"], client, "{way:?}");
        let mut next = Link::begin(rig.port(), way, json!({ "session": secret, "ack": 1 }));
        next.welcome();
        assert_eq!(next.connected.get("resumed"), None, "{way:?}");
        assert_ne!(next.secret(), secret);
    }
}

#[test]
fn who_says_to_have_heard_what_was_not_said_begins_anew() {
    let rig = Rig::start();
    over(Way::with_session(), |way| {
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": "a" }));
        link.count += 5;
        let mut next = link.go_on(way, json!({}));
        assert_eq!(next.end(), End::Said(3010, "insufficient state".into()));
        let mut next = link.go_on(way, json!({}));
        next.welcome();
        assert_eq!(next.connected.get("resumed"), None);
    });
}

#[test]
fn a_connect_that_comes_late_hurts_nobody() {
    let rig = Rig::start();
    over(Way::with_session(), |way| {
        let channel = &*way.name();
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": channel }));
        link.ask(json!({ "presence_stats": { "channel": channel } }));
        let late = json!({ "session": link.secret(), "ack": 0 });
        assert_eq!(Link::begin(rig.port(), way, late).end(), End::Said(3010, "insufficient state".into()));
        rig.publish(channel, json!("it goes on"));
        link.push("pub");
    });
}

#[test]
fn what_is_not_kept_ends_a_session_that_waits() {
    let rig = Rig::with(&[("CLIENT__QUEUE_MAX_SIZE", "10000")]);
    over(Way::with_session(), |way| {
        let channel = &*way.name();
        let mut watcher = watcher(&rig, channel);
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": channel }));
        watcher.push("join");
        let past = |link: &Link| -> Value { json!({ "session": link.secret(), "ack": link.count }) };
        let connect = past(&link);
        drop(link);
        (0..3).for_each(|_| rig.publish(channel, json!("x".repeat(2000))));
        let mut link = Link::begin(rig.port(), way, connect);
        link.welcome();
        assert_eq!(link.connected["resumed"], true, "that was not too much");
        for _ in 0..3 {
            link.push("pub");
            watcher.push("pub");
        }
        let connect = past(&link);
        drop(link);
        // That the client has gone may be noticed after some of them.
        let mut left = false;
        for _ in 0..2000 {
            rig.publish(channel, json!("x".repeat(2000)));
            left |= watcher.hear()["push"].get("leave").is_some();
            if left {
                break;
            }
        }
        assert!(left, "it waits for ever");
        let mut link = Link::begin(rig.port(), way, connect);
        link.welcome();
        assert_eq!(link.connected.get("resumed"), None);
    });
}

#[test]
fn who_says_goodbye_leaves_at_once() {
    let rig = Rig::start();
    over(Way::with_session(), |way| {
        let channel = &*way.name();
        let mut watcher = watcher(&rig, channel);
        let enter = || {
            let mut link = Link::open(&rig, way);
            subscribe(&mut link, json!({ "channel": channel }));
            link
        };
        let mut link = enter();
        watcher.push("join");
        link.poll();
        let bye = json!({ "session": link.secret(), "close": true });
        assert_eq!(rig.post("/emulation", &bye).status, 204);
        watcher.push("leave");
        link.next().unwrap_err();
        assert_eq!(rig.post("/emulation", &bye).status, 410);

        if !way.transport.is_socket() {
            return;
        }
        let mut link = enter();
        watcher.push("join");
        link.close(1000);
        assert_eq!(link.end(), End::Said(1000, String::new()));
        drop(link);
        watcher.push("leave");
        for end in [Some(1001), Some(4000), None] {
            let mut link = enter();
            watcher.push("join");
            if let Some(code) = end {
                link.close(code);
                assert_eq!(link.end(), End::Said(code.into(), String::new()));
            }
            let connect = json!({ "session": link.secret(), "ack": link.count });
            drop(link);
            rig.publish(channel, json!("meanwhile"));
            assert_eq!(watcher.publication(), "meanwhile", "nobody has left");
            let mut link = Link::begin(rig.port(), way, connect);
            link.welcome();
            assert_eq!(link.connected["resumed"], true);
            assert_eq!(link.publication(), "meanwhile");
            let bye = json!({ "session": link.secret(), "close": true });
            rig.post("/emulation", &bye);
            watcher.push("leave");
        }
    });
}
