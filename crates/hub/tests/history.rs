//! `history`: where a client may ask to begin.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod common;

use antiphon_hub::Span;
use antiphon_hub::options::ChannelOptions;
use antiphon_hub::protocol::{Encoding, HistoryRequest, Position, Reply};
use antiphon_hub::rules::RuleBook;
use common::{Heard, Peer, World, command, encode, json, publish, replies};

/// What a client is answered that has nothing but this to ask.
fn answer(world: &World, request: HistoryRequest) -> Reply {
    let mut peer = Peer::new(world, 0, Encoding::Json);
    let mut connect = command(1);
    connect.connect = Some(Box::default());
    let mut history = command(2);
    history.history = Some(HistoryRequest { channel: "news".into(), ..request });
    for command in [connect, history] {
        peer.receive(encode(&command, Encoding::Json));
    }
    world.settle(&mut [&mut peer]);
    let heard = peer.take();
    let said = heard.iter().flat_map(|heard| match heard {
        Heard::Message(message) | Heard::Aside(message) => replies(message, Encoding::Json),
        other => panic!("{other:?}"),
    });
    said.last().unwrap()
}

#[test]
fn a_page_begins_where_the_client_says() {
    let without_namespace =
        ChannelOptions { history_size: 10, history_ttl: Span::seconds(60), ..ChannelOptions::default() };
    let mut book = RuleBook { without_namespace, ..RuleBook::default() };
    book.client.insecure = true;
    let world = World::new(book);
    for number in 1..=5 {
        world.publish("news", publish(json(&number.to_string()), world.keep("news")));
    }
    let epoch = answer(&world, HistoryRequest::default()).history.unwrap().epoch;
    for (reverse, offset, epoch, expected) in [
        (false, 0, &*epoch, Ok(vec![1, 2])),
        (false, 3, "", Ok(vec![4, 5])),
        (false, 5, &*epoch, Ok(vec![])),
        // Behind the newest there is nothing yet, which is no fault.
        (false, 9, &*epoch, Ok(vec![])),
        (true, 6, &*epoch, Ok(vec![5, 4])),
        (true, 3, &*epoch, Ok(vec![2, 1])),
        (true, 1, &*epoch, Ok(vec![])),
        (true, 0, &*epoch, Err(107)),
        (false, 1, "another", Err(112)),
        (true, 1, "another", Err(112)),
    ] {
        let since = Some(Position { offset, epoch: epoch.to_owned() });
        let reply = answer(&world, HistoryRequest { limit: 2, since, reverse, ..HistoryRequest::default() });
        let said = match reply.error {
            Some(error) => Err(error.code),
            None => {
                Ok(reply.history.unwrap().publications.iter().map(|publication| publication.offset).collect())
            }
        };
        assert_eq!(said, expected, "{offset} of {epoch:?}, reverse: {reverse}");
    }
}
