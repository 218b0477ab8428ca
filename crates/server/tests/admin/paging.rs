//! Long lists, part by part.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rig::{open_server, told};
use crate::support::{Server, Socket};

const CHANNELS: usize = 120;

/// Clients in many channels: all are in those of even numbers, the first alone is in the others.
fn crowd(server: &Server) -> Vec<Socket> {
    let clients = (0..2).map(|client| {
        let mut socket = server.open("/connection/websocket");
        socket.say(r#"{"id":1,"connect":{}}"#);
        socket.hear();
        for n in (0..CHANNELS).filter(|n| client == 0 || n % 2 == 0) {
            socket.say(&format!(r#"{{"id":{},"subscribe":{{"channel":"Room-{n:03}"}}}}"#, n + 2));
            while !socket.hear().contains(r#""subscribe""#) {}
        }
        socket
    });
    clients.collect()
}

/// Every part of a list, one after the other, by the cursors that lead from one to the next.
fn walk(server: &Server, path: &str, list: &str, key: &str) -> Vec<Vec<String>> {
    let (mut parts, mut after) = (Vec::new(), String::new());
    loop {
        let answer = told(server, &format!("{path}{after}"));
        let entries =
            answer[list].as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned());
        parts.push(entries.collect());
        match &answer["next"] {
            Value::String(next) => after = format!("&after={next}"),
            next => {
                assert!(next.is_null());
                return parts;
            }
        }
        assert!(parts.len() <= CHANNELS, "it has no end");
    }
}

#[test]
fn channels_are_given_part_by_part_in_every_order() {
    let server = open_server();
    let _crowd = crowd(&server);
    for sort in ["members", "rate", "name"] {
        let parts = walk(&server, &format!("channels?limit=50&sort={sort}"), "channels", "channel");
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20], "{sort}");
        let all: BTreeSet<_> = parts.concat().into_iter().collect();
        assert_eq!(all.len(), CHANNELS, "{sort}");
    }
    let by_name = walk(&server, "channels?limit=7&sort=name", "channels", "channel").concat();
    assert!(by_name.is_sorted());
    let by_members = told(&server, "channels?limit=120");
    let members: Vec<_> = by_members["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|channel| channel["members"].as_u64().unwrap())
        .collect();
    assert!(
        members.is_sorted_by(|one, other| one >= other) && members[0] == 2 && members[119] == 1,
        "{members:?}"
    );
    let found = told(&server, "channels?search=rOOm-01&limit=3");
    assert_eq!((&found["total"], found["channels"].as_array().unwrap().len()), (&json!(10), 3));
    assert_eq!(told(&server, "channels?search=none")["total"], 0);
}

#[test]
fn members_are_given_part_by_part() {
    let server = open_server();
    let _sockets: Vec<_> = (0..12)
        .map(|_| {
            let mut socket = server.open("/connection/websocket");
            socket.say(r#"{"id":1,"connect":{}}"#);
            socket.hear();
            socket.say(r#"{"id":2,"subscribe":{"channel":"all"}}"#);
            while !socket.hear().contains(r#""subscribe""#) {}
            socket
        })
        .collect();
    let parts = walk(&server, "channels/all/members?limit=5", "members", "client");
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
    assert_eq!(parts.concat().into_iter().collect::<BTreeSet<_>>().len(), 12);
    assert_eq!(told(&server, "channels/all/members?limit=5")["total"], 12);
}
