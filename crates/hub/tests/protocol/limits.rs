use allocation_counter::measure;
use antiphon_hub::filter::FilterNode;
use antiphon_hub::protocol::{
    Command, ConnectRequest, Encoding, MAX_COMMANDS, MAX_PARTS, Malformed, Publication, PublishRequest, Push,
    Reply, SubscribeRequest,
};
use bytes::Bytes;
use prost::Message as _;

use crate::values::written;

/// Deeper than any stack would bear.
const DEEP: usize = 100_000;

#[test]
fn a_message_has_a_limited_number_of_commands() {
    for (encoding, one) in
        [(Encoding::Json, "{}\n"), (Encoding::Json, "{\"id\":1}\n"), (Encoding::Protobuf, "\0")]
    {
        let most = one.repeat(MAX_COMMANDS);
        assert_eq!(encoding.decode(most.as_bytes()).map(|commands| commands.len()), Ok(MAX_COMMANDS));

        let heap = measure(|| {
            let more = most.clone() + one;
            let (commands, Malformed) = encoding.decode(more.as_bytes()).unwrap_err();
            assert_eq!(commands.len(), MAX_COMMANDS);
        });
        let many = measure(|| {
            let many = one.repeat(65_536);
            let (commands, Malformed) = encoding.decode(many.as_bytes()).unwrap_err();
            assert_eq!(commands.len(), MAX_COMMANDS);
        });
        let more = (65_536 - MAX_COMMANDS) * one.len();
        assert!(many.bytes_max <= heap.bytes_max + more as u64 + 1024, "{heap:?}, {many:?}");
        assert!(heap.bytes_max < 1 << 20, "{heap:?}");
    }
}

#[test]
fn the_commands_of_a_message_have_a_limited_number_of_parts() {
    let filter = |nodes| FilterNode { nodes: vec![FilterNode::default(); nodes - 1], ..Default::default() };
    let subscribe = |nodes| SubscribeRequest { tf: Some(filter(nodes)), ..Default::default() };
    let alone = |nodes| Command { subscribe: Some(subscribe(nodes).into()), ..Default::default() };
    let subs = |count: usize, request: SubscribeRequest| {
        let subs = (0..count).map(|number| (number.to_string(), request.clone())).collect();
        Command { connect: Some(ConnectRequest { subs, ..Default::default() }.into()), ..Default::default() }
    };
    let half = MAX_PARTS / 2;
    for (most, more) in [
        (vec![alone(MAX_PARTS)], vec![alone(MAX_PARTS + 1)]),
        (vec![alone(half), alone(half)], vec![alone(half), alone(half + 1)]),
        (vec![subs(MAX_PARTS, Default::default())], vec![subs(MAX_PARTS + 1, Default::default())]),
        (vec![subs(half, subscribe(1))], vec![subs(half + 1, subscribe(1))]),
        (
            vec![subs(half, Default::default()), alone(half)],
            vec![subs(half, Default::default()), alone(half + 1)],
        ),
    ] {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            assert_eq!(encoding.decode(&written(encoding, &most)).as_ref(), Ok(&most));
            let before = more[..more.len() - 1].to_vec();
            assert_eq!(encoding.decode(&written(encoding, &more)), Err((before, Malformed)));
        }
    }
}

#[test]
fn commands_and_replies_are_not_large() {
    assert!(size_of::<Command>() <= 400, "{} bytes", size_of::<Command>());
    assert!(size_of::<Reply>() <= 400, "{} bytes", size_of::<Reply>());
}

#[test]
fn data_may_be_as_deep_as_it_likes() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = open.repeat(DEEP) + "1" + &close.repeat(DEEP);
        let publish = format!(r#"{{"id":1,"publish":{{"channel":"a","data":{deep}}},"unknown":{deep}}}"#);
        let mut commands = Vec::new();
        let heap = measure(|| commands = Encoding::Json.decode(publish.as_bytes()).unwrap());
        let data = commands.remove(0).publish.unwrap().data;
        assert_eq!(data, deep);
        assert!(heap.bytes_max < 2 * publish.len() as u64 && heap.count_total < 100, "{heap:?}");

        let push =
            Push { publication: Some(Publication { data, ..Default::default() }), ..Default::default() };
        let reply = Reply { push: Some(push.into()), ..Default::default() };
        assert_eq!(
            Encoding::Json.encode(&reply),
            format!(r#"{{"push":{{"pub":{{"data":{deep}}}}}}}"#).as_bytes()
        );

        let unclosed = format!(r#"{{"id":1,"send":{{"data":{}"#, open.repeat(DEEP));
        assert_eq!(Encoding::Json.decode(unclosed.as_bytes()), Err((Vec::new(), Malformed)));
    }
}

#[test]
fn filters_may_not_be_deep() {
    let deep = r#"{"nodes":["#.repeat(DEEP) + &"]}".repeat(DEEP);
    let subscribe = format!(r#"{{"id":1,"subscribe":{{"channel":"a","tf":{deep}}}}}"#);
    assert_eq!(Encoding::Json.decode(subscribe.as_bytes()), Err((Vec::new(), Malformed)));

    // Each message around the one before: the tag of `nodes`, its length, and the message.
    let mut deep = Vec::new();
    for _ in 0..DEEP / 100 {
        let mut outer = vec![0x32];
        prost::encode_length_delimiter(deep.len(), &mut outer).unwrap();
        outer.append(&mut deep);
        deep = outer;
    }
    // The same around it: `tf`, `subscribe` and the command.
    for tag in [&[0x6a][..], &[0x2a], &[]] {
        let mut outer = tag.to_vec();
        prost::encode_length_delimiter(deep.len(), &mut outer).unwrap();
        outer.append(&mut deep);
        deep = outer;
    }
    assert_eq!(Encoding::Protobuf.decode(&deep), Err((Vec::new(), Malformed)));
}

#[test]
fn data_does_not_keep_its_message() {
    let small = Command { publish: Some(Default::default()), ..Default::default() };
    let mut message = small.encode_length_delimited_to_vec();
    let publish = PublishRequest { data: "1".into(), ..Default::default() };
    message.append(
        &mut Command { publish: Some(publish), ..Default::default() }.encode_length_delimited_to_vec(),
    );
    // A field that nobody knows, of 60,000 bytes.
    let unknown = [&[0xfa, 0x06][..], &[0xe0, 0xd4, 0x03], &[0; 60_000]].concat();
    prost::encode_length_delimiter(unknown.len(), &mut message).unwrap();
    message.extend(unknown);

    let mut kept = Bytes::new();
    let heap = measure(|| {
        let commands = Encoding::Protobuf.decode(&message).unwrap();
        kept = commands[1].publish.as_ref().unwrap().data.clone();
    });
    assert_eq!(kept, "1");
    assert!(heap.bytes_current < 200, "{heap:?}");
}
