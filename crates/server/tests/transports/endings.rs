//! How connections end, over every transport.

use std::collections::BTreeSet;

use antiphon_hub::protocol::Encoding;
use serde_json::json;

use crate::channel::subscribe;
use crate::link::{End, Link, Transport, Way, over};
use crate::rig::{Rig, now, token};

fn said(code: u64, reason: &str) -> End {
    End::Said(code, reason.into())
}

/// The session has ended with this. A client that was not polling just then hears it in answer to its next poll.
fn assert_ended(link: &mut Link, end: &End) {
    assert_eq!(&link.end(), end, "{:?}", link.way);
}

#[test]
fn tokens_expire_and_are_refreshed() {
    let rig = Rig::with(&[("CLIENT__EXPIRED_CLOSE_DELAY", "0s")]);
    let mut links = Vec::new();
    over(Way::all(), |way| {
        let user = &*way.name();
        let mut link = Link::begin(rig.port(), way, json!({ "token": token(user, json!({ "exp": 1 })) }));
        let answer = link.hear();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(109)), "{answer}");

        let expiring = token(user, json!({ "exp": now() + 2 }));
        let mut link = Link::open_with(&rig, way, json!({ "token": expiring }));
        assert_eq!(link.connected["expires"], true);
        let refresh = |exp| json!({ "refresh": { "token": token(user, json!({ "exp": exp })) } });
        let reply = link.ask(refresh(now() + 100));
        assert_eq!(reply["refresh"]["expires"], true, "{reply}");
        assert!(reply["refresh"]["ttl"].as_u64() > Some(90), "{reply}");
        link.ask(refresh(now() + 1));
        link.poll();
        links.push(link);

        let mut link = Link::open_with(&rig, way, json!({ "token": expiring }));
        link.poll();
        link.say(refresh(1));
        assert_ended(&mut link, &said(3005, "connection expired"));
    });
    for link in &mut links {
        assert_eq!(link.end(), said(3005, "connection expired"), "{:?}", link.way);
    }
}

#[test]
fn the_server_disconnects() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        for (name, disconnect, end) in [
            ("plain", json!({}), said(3503, "force disconnect")),
            ("own", json!({ "code": 4321, "reason": "out" }), said(4321, "out")),
        ] {
            let user = &*format!("{name}-{}", way.name());
            let mut link = Link::open_with(&rig, way, json!({ "token": token(user, json!({})) }));
            link.poll();
            let mut request = json!({ "user": user });
            if disconnect != json!({}) {
                request["disconnect"] = disconnect;
            }
            rig.api("disconnect", request);
            assert_ended(&mut link, &end);
            let has_push = way.has_session || !way.transport.is_socket();
            assert!(way.transport.is_poll() || link.farewell.is_some() == has_push);
            if way.has_session {
                let mut next = link.go_on(way, json!({ "token": token(user, json!({})) }));
                next.welcome();
                assert_ne!(next.connected["resumed"], true, "it is over");
            }
        }
    });
}

#[test]
fn what_cannot_be_read_ends_or_is_refused() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let junk: &[u8] = match way.encoding {
            Encoding::Json => b"junk",
            Encoding::Protobuf => &[0xff],
        };
        let mut link = Link::open(&rig, way);
        let status = link.say_bytes(junk);
        if way.has_session && !way.transport.is_socket() {
            assert_eq!(status, Some(400));
            subscribe(&mut link, json!({ "channel": "it goes on" }));
        } else {
            assert!(matches!(status, None | Some(204)), "{status:?}");
            assert_eq!(link.end(), said(3501, "bad request"));
        }
        let mut link = Link::open(&rig, way);
        if way.transport != Transport::PollOnly {
            link.poll();
        }
        // A command that asks for nothing.
        link.say(json!({}));
        assert_ended(&mut link, &said(3501, "bad request"));
    });
}

#[test]
fn what_is_too_long_is_refused() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let mut link = Link::open(&rig, way);
        let long = vec![b' '; 66_000];
        match link.say_bytes(&long) {
            None => {
                let End::Said(code, _) = link.end() else { panic!("no code") };
                assert_eq!(code, 1009);
            }
            Some(status) => {
                assert_eq!(status, 413);
                subscribe(&mut link, json!({ "channel": "a" }));
            }
        }
    });
}

#[test]
fn who_does_not_read_is_told_to_come_back() {
    let rig = Rig::start();
    let mut links = Vec::new();
    over(Way::all(), |way| {
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": "bare:much" }));
        links.push(link);
    });
    let data = "x".repeat(300_000);
    // More than the operating system keeps for a connection, and the server beside that.
    for _ in 0..80 {
        rig.publish("bare:much", json!(data));
    }
    for link in &mut links {
        let way = link.way;
        let mut heard = 0;
        let end = loop {
            match link.next() {
                Ok(message) => assert_eq!(message["push"]["pub"]["data"].as_str().unwrap().len(), data.len()),
                Err(end) => break end,
            }
            heard += 1;
        };
        assert!(heard < 80, "{way:?} heard all");
        assert_eq!(end, said(3008, "slow"), "{way:?} after {heard}");
    }
}

#[test]
fn pings_want_an_answer() {
    let rig = Rig::with(&[("CLIENT__PING_INTERVAL", "300ms"), ("CLIENT__PONG_TIMEOUT", "200ms")]);
    let mut links = Vec::new();
    over(Way::all(), |way| {
        if !way.transport.is_poll() {
            let mut link = Link::open(&rig, way);
            link.pongs = 2;
            links.push(link);
        }
    });
    // Each is driven by a thread of its own: a ping is to be answered at once.
    let listeners: Vec<_> = links
        .into_iter()
        .map(|mut link| std::thread::spawn(move || (link.way, link.pings, link.end(), link)))
        .collect();
    for listener in listeners {
        let (way, _, end, link) = listener.join().unwrap();
        assert_eq!(link.pings, 3, "{way:?}");
        let expected = match way.has_session && !way.transport.is_socket() {
            true => End::Silent,
            false => said(3012, "no pong"),
        };
        assert_eq!(end, expected, "{way:?}");
        if way.has_session {
            let mut next = link.go_on(way, json!({}));
            next.welcome();
            assert_eq!(next.connected["resumed"], true, "{way:?}");
        }
    }
}

#[test]
fn a_server_that_ends_tells_all() {
    let mut rig = Rig::with(&[("SHUTDOWN__DRAIN_WINDOW", "2s")]);
    let mut links: Vec<_> = Way::all().into_iter().map(|way| Link::open(&rig, way)).collect();
    // A poll that is under way is answered with it; one that comes later has no server.
    links.iter_mut().for_each(Link::poll);
    rig.server.terminate();
    let mut waits = BTreeSet::new();
    for link in &mut links {
        assert_eq!(link.end(), said(3001, "shutdown"), "{:?}", link.way);
        if link.way.has_session {
            let push = link.farewell.take().unwrap();
            let wait = push["reconnect_after_ms"].as_u64();
            assert!(wait.is_some_and(|wait| wait < 2000), "{push}");
            waits.insert(wait);
        }
    }
    assert!(waits.len() > 2, "they are not all sent at the same moment: {waits:?}");
    drop(links);
    assert_eq!(rig.server.ended().code(), Some(0));
}
