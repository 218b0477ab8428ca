//! What channels do, over every transport.

use serde_json::{Value, json};

use crate::link::{Link, Transport, Way, over};
use crate::rig::{Rig, token};

pub(crate) fn subscribe(link: &mut Link, request: Value) -> Value {
    let mut reply = link.ask(json!({ "subscribe": request }));
    assert_eq!(reply.get("error"), None);
    reply["subscribe"].take()
}

/// A watcher on a plain WebSocket, in a channel.
pub(crate) fn watcher(rig: &Rig, channel: &str) -> Link {
    let mut link = Link::open(rig, Way::plain_socket());
    subscribe(&mut link, json!({ "channel": channel, "join_leave": true }));
    assert_eq!(link.push("join")["info"]["client"], link.client());
    link
}

#[test]
fn what_connect_says() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let link = Link::open(&rig, way);
        let said = |name: &str| link.connected.get(name).is_some();
        assert_eq!(link.client().len(), 36);
        let is_socket = way.transport.is_socket();
        assert_eq!(said("session"), way.has_session || !is_socket);
        assert_eq!(said("node"), said("session"));
        assert_eq!(said("ext"), way.has_session);
        assert_eq!(said("session_ttl"), way.has_session);
        assert!(!said("resumed"));
        assert_eq!(said("ping"), !way.transport.is_poll());
        if said("session") {
            assert!(link.secret().len() >= 22, "{}", link.secret());
        }
    });
}

#[test]
fn a_client_hears_what_is_published() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let channel = &*format!("bare:{}", way.name());
        let mut link = Link::open(&rig, way);
        assert_eq!(subscribe(&mut link, json!({ "channel": channel })), json!({}));
        rig.publish(channel, json!({ "text": "é\n\u{2028}" }));
        assert_eq!(link.publication(), json!({ "text": "é\n\u{2028}" }));
        // Breaks between the tokens do not end a line.
        rig.publish_text(channel, "{\n \"a\":\r\n[1,\r2]\n\n}");
        assert_eq!(link.publication(), json!({ "a": [1, 2] }));

        let reply = link.ask(json!({ "publish": { "channel": channel, "data": [1, null, "x"] } }));
        assert_eq!(reply["publish"], json!({}));
        let push = link.hear();
        assert_eq!(push["push"]["channel"], channel);
        assert_eq!(push["push"]["pub"]["data"], json!([1, null, "x"]));
        assert_eq!(push["push"]["pub"]["info"]["client"], link.client());

        let reply = link.ask(json!({ "unsubscribe": { "channel": channel } }));
        assert_eq!(reply["unsubscribe"], json!({}));
        rig.publish(channel, json!(2));
        let reply = link.ask(json!({ "unsubscribe": { "channel": channel } }));
        assert_eq!(reply["unsubscribe"], json!({}));
        subscribe(&mut link, json!({ "channel": channel }));
        rig.publish(channel, json!(3));
        assert_eq!(link.publication(), 3, "and nothing before it");
    });
}

#[test]
fn publications_keep_their_order() {
    let rig = Rig::start();
    let mut links = Vec::new();
    over(Way::all(), |way| {
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": "many" }));
        links.push(link);
    });
    for number in 0..200 {
        rig.publish("many", json!({ "number": number, "text": "x".repeat(number % 50) }));
    }
    for link in &mut links {
        let way = link.way;
        for number in 0..200 {
            let publication = link.push("pub");
            assert_eq!(publication["data"]["number"], number, "{way:?}");
            assert_eq!(publication["offset"], number + 1, "{way:?}");
        }
    }
}

#[test]
fn clients_see_each_other() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let channel = &*way.name();
        let mut watcher = watcher(&rig, channel);
        let mut link = Link::open(&rig, way);
        subscribe(&mut link, json!({ "channel": channel, "join_leave": true }));
        assert_eq!(link.push("join")["info"]["client"], link.client());
        assert_eq!(watcher.push("join")["info"]["client"], link.client());

        let reply = link.ask(json!({ "presence": { "channel": channel } }));
        let present = reply["presence"]["presence"].as_object().unwrap();
        let mut expected = [watcher.client(), link.client()];
        expected.sort_unstable();
        assert_eq!(present.keys().collect::<Vec<_>>(), expected);
        let reply = link.ask(json!({ "presence_stats": { "channel": channel } }));
        assert_eq!(reply["presence_stats"], json!({ "num_clients": 2, "num_users": 1 }));

        watcher.ask(json!({ "unsubscribe": { "channel": channel } }));
        assert_eq!(link.push("leave")["info"]["client"], watcher.client());
        subscribe(&mut watcher, json!({ "channel": channel, "join_leave": true }));
        watcher.push("join");
        link.push("join");
        link.ask(json!({ "unsubscribe": { "channel": channel } }));
        assert_eq!(watcher.push("leave")["info"]["client"], link.client());
    });
}

#[test]
fn history_is_read_in_pages() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let channel = &*way.name();
        (1..=5).for_each(|number| rig.publish(channel, json!(number)));
        let mut link = Link::open(&rig, way);
        let reply = link.ask(json!({ "history": { "channel": channel, "limit": 2 } }));
        let page = &reply["history"];
        let data = |page: &Value| -> Vec<u64> {
            let list = page["publications"].as_array().unwrap();
            list.iter().map(|publication| publication["data"].as_u64().unwrap()).collect()
        };
        assert_eq!((data(page), &page["offset"]), (vec![1, 2], &json!(5)));
        let since = json!({ "offset": 2, "epoch": page["epoch"] });
        let request = json!({ "channel": channel, "limit": 10, "since": since });
        assert_eq!(data(&link.ask(json!({ "history": request }))["history"]), [3, 4, 5]);
        let request = json!({ "channel": channel, "limit": 2, "reverse": true });
        assert_eq!(data(&link.ask(json!({ "history": request }))["history"]), [5, 4]);
    });
}

#[test]
fn a_new_connection_recovers() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let channel = &*way.name();
        let mut link = Link::open(&rig, way);
        let first = subscribe(&mut link, json!({ "channel": channel, "recoverable": true }));
        assert_eq!(first["recoverable"], true);
        drop(link);
        (1..=3).for_each(|number| rig.publish(channel, json!(number)));
        let mut link = Link::open(&rig, way);
        let mut request =
            json!({ "channel": channel, "recoverable": true, "recover": true, "epoch": first["epoch"] });
        let second = subscribe(&mut link, request.clone());
        assert_eq!((&second["recovered"], &second["was_recovering"]), (&json!(true), &json!(true)));
        assert_eq!(second["publications"].as_array().unwrap().len(), 3, "{second}");
        link.ask(json!({ "unsubscribe": { "channel": channel } }));
        request["epoch"] = "another".into();
        let third = subscribe(&mut link, request);
        assert_eq!((third.get("recovered"), &third["was_recovering"]), (None, &json!(true)), "{third}");
    });
}

#[test]
fn what_may_not_be_is_an_error() {
    let rig = Rig::with(&[
        ("RPC__NAMESPACES", r#"[{"name": "known", "proxy_enabled": true}]"#),
        // Nobody listens there.
        ("RPC__PROXY__ENDPOINT", "http://127.0.0.1:9"),
    ]);
    over(Way::all(), |way| {
        let mut link = Link::open(&rig, way);
        for (command, code) in [
            (json!({ "rpc": { "method": "known:x", "data": {} } }), 100),
            (json!({ "rpc": { "method": "none:x", "data": {} } }), 104),
            (json!({ "subscribe": { "channel": "shut:a" } }), 103),
            (json!({ "subscribe": { "channel": "unknown:a" } }), 102),
            (json!({ "subscribe": { "channel": "a".repeat(256) } }), 107),
            (json!({ "publish": { "channel": "shut:a", "data": 1 } }), 103),
            (json!({ "history": { "channel": "bare:a" } }), 108),
            (json!({ "presence": { "channel": "bare:a" } }), 108),
        ] {
            let reply = link.ask(command.clone());
            assert_eq!(reply["error"]["code"], code, "{command}: {reply}");
        }
        subscribe(&mut link, json!({ "channel": "a" }));
        let reply = link.ask(json!({ "subscribe": { "channel": "a" } }));
        assert_eq!(reply["error"]["code"], 105, "it goes on");
    });
}

#[test]
fn the_server_subscribes_and_unsubscribes() {
    let rig = Rig::start();
    over(Way::all(), |way| {
        let user = &*way.name();
        let channel = &*format!("news-{user}");
        let token = token(user, json!({ "channels": [channel] }));
        let mut link = Link::open_with(&rig, way, json!({ "token": token }));
        assert!(link.connected["subs"][channel].is_object(), "{}", link.connected);
        rig.publish(channel, json!(1));
        assert_eq!(link.publication(), 1);

        rig.api("subscribe", json!({ "user": user, "channel": "later" }));
        let push = link.hear();
        assert!(push["push"]["subscribe"].is_object() && push["push"]["channel"] == "later", "{push}");
        rig.api("unsubscribe", json!({ "user": user, "channel": "later" }));
        assert_eq!(link.push("unsubscribe")["code"], 2000);
        rig.publish("later", json!(2));
        rig.publish(channel, json!(3));
        assert_eq!(link.publication(), 3, "and nothing of the other channel");
    });
}

#[test]
fn differences_come_where_they_are_asked_for() {
    let rig = Rig::start();
    // The deltas of Protobuf are bytes, and no JSON.
    let ways = Way::all().into_iter().filter(|way| way.transport.encodings().len() == 1);
    over(ways.chain([Way::json(Transport::WebSocket2)]).collect(), |way| {
        let channel = &*way.name();
        let mut link = Link::open(&rig, way);
        let result = subscribe(&mut link, json!({ "channel": channel, "delta": "fossil" }));
        assert_eq!(result["delta"], true);
        let text = "words that come again and again ".repeat(20);
        rig.publish(channel, json!({ "text": text, "number": 1 }));
        rig.publish(channel, json!({ "text": text, "number": 2 }));
        let (first, second) = (link.push("pub"), link.push("pub"));
        assert_eq!(first.get("delta"), None);
        assert_eq!(second["delta"], true);
        let length = |publication: &Value| publication["data"].as_str().unwrap().len();
        assert!(length(&second) < length(&first) / 10, "{second}");
    });
}
