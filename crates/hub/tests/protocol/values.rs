//! Any command and any reply.

use antiphon_hub::filter::FilterNode;
use antiphon_hub::protocol::*;
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

/// A message of such commands.
pub(crate) fn written(encoding: Encoding, commands: &[Command]) -> Vec<u8> {
    match encoding {
        Encoding::Json => commands
            .iter()
            .map(|command| serde_json::to_vec(command).expect("JSON"))
            .collect::<Vec<_>>()
            .join(&b'\n'),
        Encoding::Protobuf => commands.iter().flat_map(Command::encode_length_delimited_to_vec).collect(),
    }
}

/// What the fields for the application's data hold.
type Data = BoxedStrategy<Bytes>;

/// What can stand in JSON, or nothing.
pub(crate) fn json() -> Data {
    let atom = prop_oneof![
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        prop::num::f64::NORMAL.prop_map(|value| value.to_string()),
        Just("-1.50E+3".to_owned()),
        any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
    ];
    let value = atom.prop_recursive(3, 16, 4, |inner| {
        let member = (any::<String>(), inner.clone());
        prop_oneof![
            vec(prop_oneof![inner, Just("null".to_owned())], 0..4)
                .prop_map(|items| format!("[ {} ]", items.join(","))),
            vec(member, 0..4).prop_map(|members| {
                let members =
                    members.into_iter().map(|(name, value)| format!("{}:\t{value}", serde_json::json!(name)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }),
        ]
    });
    prop_oneof![1 => Just(Bytes::new()), 4 => value.prop_map(Bytes::from)].boxed()
}

/// What can stand in Protobuf.
pub(crate) fn binary() -> Data {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from).boxed()
}

prop_compose! {
    fn position()(offset in any::<u64>(), epoch in ".{0,5}") -> Position {
        Position { offset, epoch }
    }
}

fn filter() -> impl Strategy<Value = FilterNode> {
    let strings = ["|and|or|not", ".{0,5}", "|eq|in", ".{0,5}"];
    let leaf = (strings, vec(".{0,5}", 0..3)).prop_map(|([op, key, cmp, val], vals)| FilterNode {
        op,
        key,
        cmp,
        val,
        vals,
        nodes: Vec::new(),
    });
    leaf.prop_recursive(3, 8, 3, |inner| {
        (inner.clone(), vec(inner, 0..3)).prop_map(|(node, nodes)| FilterNode { nodes, ..node })
    })
}

prop_compose! {
    fn subscribe(data: Data)(
        [channel, token, epoch, delta] in [".{0,9}", ".{0,9}", ".{0,5}", "|fossil"],
        [recover, positioned, recoverable, join_leave] in any::<[bool; 4]>(),
        offset in any::<u64>(),
        data in data,
        tf in option::of(filter()),
        flag in any::<i64>(),
        kind in any::<i32>(),
    ) -> SubscribeRequest {
        SubscribeRequest { channel, token, recover, epoch, offset, data, positioned, recoverable, join_leave, delta, tf, flag, kind }
    }
}

prop_compose! {
    fn connect(data: Data)(
        [token, name, version] in [".{0,9}", ".{0,9}", ".{0,9}"],
        data in data.clone(),
        subs in btree_map(".{0,5}", subscribe(data), 0..3),
        headers in btree_map(".{0,5}", ".{0,5}", 0..3),
        (ext, session, ack) in (btree_map(".{0,5}", any::<u32>(), 0..3), ".{0,9}", any::<u64>()),
    ) -> ConnectRequest {
        ConnectRequest { token, data, subs, name, version, headers, ext, session, ack }
    }
}

/// Any command, with such data.
pub(crate) fn command(data: &Data) -> impl Strategy<Value = Command> + use<> {
    let channel = || ".{0,9}".prop_map(|channel| ChannelRequest { channel });
    let kind = prop_oneof![
        Just(Command::default()),
        connect(data.clone()).prop_map(|it| Command { connect: Some(it.into()), ..Default::default() }),
        subscribe(data.clone()).prop_map(|it| Command { subscribe: Some(it.into()), ..Default::default() }),
        channel().prop_map(|it| Command { unsubscribe: Some(it), ..Default::default() }),
        (".{0,9}", data.clone(), any::<i32>()).prop_map(|(channel, data, kind)| Command {
            publish: Some(PublishRequest { channel, data, kind }),
            ..Default::default()
        }),
        channel().prop_map(|it| Command { presence: Some(it), ..Default::default() }),
        channel().prop_map(|it| Command { presence_stats: Some(it), ..Default::default() }),
        (".{0,9}", any::<i32>(), option::of(position()), any::<bool>()).prop_map(
            |(channel, limit, since, reverse)| {
                Command {
                    history: Some(HistoryRequest { channel, limit, since, reverse }),
                    ..Default::default()
                }
            }
        ),
        Just(Command { ping: Some(Empty {}), ..Default::default() }),
        data.clone().prop_map(|data| Command { send: Some(SendRequest { data }), ..Default::default() }),
        (data.clone(), ".{0,9}").prop_map(|(data, method)| Command {
            rpc: Some(RpcRequest { data, method }),
            ..Default::default()
        }),
        ".{0,9}".prop_map(|token| Command { refresh: Some(RefreshRequest { token }), ..Default::default() }),
        [".{0,9}", ".{0,9}"].prop_map(|[channel, token]| Command {
            sub_refresh: Some(SubRefreshRequest { channel, token }),
            ..Default::default()
        }),
    ];
    (any::<(u32, u64, u64)>(), kind).prop_map(|((id, n, ack), command)| Command { id, n, ack, ..command })
}

prop_compose! {
    fn info(data: Data)(user in ".{0,9}", client in ".{0,9}", [conn_info, chan_info] in [data.clone(), data]) -> ClientInfo {
        ClientInfo { user, client, conn_info, chan_info }
    }
}

prop_compose! {
    fn publication(data: Data)(
        data in data.clone(),
        info in option::of(info(data)),
        offset in any::<u64>(),
        tags in btree_map(".{0,5}", ".{0,5}", 0..3),
        delta in any::<bool>(),
        time in any::<i64>(),
    ) -> Publication {
        Publication { data, info, offset, tags, delta, time }
    }
}

prop_compose! {
    fn subscribed(data: Data)(
        [expires, recoverable, recovered, positioned, was_recovering, delta] in any::<[bool; 6]>(),
        ttl in any::<u32>(),
        epoch in ".{0,5}",
        publications in vec(publication(data.clone()), 0..3),
        offset in any::<u64>(),
        data in data,
    ) -> SubscribeResult {
        SubscribeResult {
            expires, ttl, recoverable, epoch, publications, recovered, offset, positioned, data, was_recovering, delta,
        }
    }
}

prop_compose! {
    fn connected(data: Data)(
        [client, version, session, node] in [".{0,9}", ".{0,9}", ".{0,9}", ".{0,9}"],
        [expires, pong] in any::<[bool; 2]>(),
        [ttl, ping] in any::<[u32; 2]>(),
        data in data.clone(),
        subs in btree_map(".{0,5}", subscribed(data), 0..3),
        time in any::<i64>(),
        ext in btree_map(".{0,5}", any::<u32>(), 0..3),
        (resumed, n, session_ttl) in any::<(bool, u64, u32)>(),
    ) -> ConnectResult {
        let subs = subs.into_iter().map(|(channel, result)| ServerSub { channel, result: Some(result) }).collect();
        ConnectResult { client, version, expires, ttl, data, subs, ping, pong, session, node, time, ext, resumed, n, session_ttl }
    }
}

fn push(data: &Data) -> impl Strategy<Value = Push> + use<> {
    let presence = || option::of(info(data.clone())).prop_map(|info| Presence { info });
    let kind = prop_oneof![
        publication(data.clone()).prop_map(|it| Push { publication: Some(it), ..Default::default() }),
        presence().prop_map(|it| Push { join: Some(it), ..Default::default() }),
        presence().prop_map(|it| Push { leave: Some(it), ..Default::default() }),
        (any::<u32>(), ".{0,9}").prop_map(|(code, reason)| Push {
            unsubscribe: Some(UnsubscribePush { code, reason }),
            ..Default::default()
        }),
        data.clone().prop_map(|data| Push { message: Some(MessagePush { data }), ..Default::default() }),
        (any::<[bool; 2]>(), position(), data.clone()).prop_map(
            |([recoverable, positioned], Position { offset, epoch }, data)| {
                let subscribe = SubscribePush { recoverable, epoch, offset, positioned, data };
                Push { subscribe: Some(subscribe), ..Default::default() }
            }
        ),
        (any::<[u32; 2]>(), ".{0,9}", any::<bool>()).prop_map(
            |([code, reconnect_after_ms], reason, reconnect)| Push {
                disconnect: Some(DisconnectPush { code, reason, reconnect, reconnect_after_ms }),
                ..Default::default()
            }
        ),
        any::<(bool, u32)>().prop_map(|(expires, ttl)| Push {
            refresh: Some(RefreshPush { expires, ttl }),
            ..Default::default()
        }),
    ];
    (".{0,9}", kind).prop_map(|(channel, push)| Push { channel, ..push })
}

/// Any reply, with such data.
pub(crate) fn reply(data: &Data) -> impl Strategy<Value = Reply> + use<> {
    let kind = prop_oneof![
        Just(Reply::default()),
        (any::<u32>(), ".{0,9}", any::<bool>()).prop_map(|(code, message, temporary)| Reply {
            error: Some(ErrorReply { code, message, temporary }),
            ..Default::default()
        }),
        push(data).prop_map(|it| Reply { push: Some(it.into()), ..Default::default() }),
        connected(data.clone()).prop_map(|it| Reply { connect: Some(it.into()), ..Default::default() }),
        subscribed(data.clone()).prop_map(|it| Reply { subscribe: Some(it.into()), ..Default::default() }),
        Just(Reply { unsubscribe: Some(Empty {}), ..Default::default() }),
        Just(Reply { publish: Some(Empty {}), ..Default::default() }),
        btree_map(".{0,5}", info(data.clone()), 0..3)
            .prop_map(|presence| Reply { presence: Some(PresenceResult { presence }), ..Default::default() }),
        any::<[u32; 2]>().prop_map(|[num_clients, num_users]| Reply {
            presence_stats: Some(PresenceStatsResult { num_clients, num_users }),
            ..Default::default()
        }),
        (vec(publication(data.clone()), 0..3), position()).prop_map(
            |(publications, Position { offset, epoch })| Reply {
                history: Some(HistoryResult { publications, epoch, offset }),
                ..Default::default()
            }
        ),
        Just(Reply { ping: Some(Empty {}), ..Default::default() }),
        data.clone().prop_map(|data| Reply { rpc: Some(RpcResult { data }), ..Default::default() }),
        ([".{0,9}", ".{0,9}"], any::<(bool, u32)>()).prop_map(|([client, version], (expires, ttl))| Reply {
            refresh: Some(RefreshResult { client, version, expires, ttl }),
            ..Default::default()
        }),
        any::<(bool, u32)>().prop_map(|(expires, ttl)| Reply {
            sub_refresh: Some(SubRefreshResult { expires, ttl }),
            ..Default::default()
        }),
    ];
    (any::<u32>(), kind).prop_map(|(id, reply)| Reply { id, ..reply })
}
