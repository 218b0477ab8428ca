use bytes::Bytes;

use super::rig::{NOW, Rig};
use crate::api::{Api, ApiError};
use crate::backend::SubscribeGrant;
use crate::channels::{Order, TokenWhom, Whom};
use crate::protocol::{Disconnect, Position};

fn user(user: &str) -> Whom {
    Whom { user: Some(user.to_owned()), ..Whom::default() }
}

fn code(outcome: Result<(), ApiError>) -> u32 {
    outcome.map_or_else(|error| error.error.code, |()| 0)
}

#[test]
fn an_order_reaches_those_it_is_for() {
    let rig = Rig::new();
    let clients =
        [("c1", "ann"), ("c2", "ann"), ("c3", "bob"), ("c4", "")].map(|(id, user)| rig.client(id, user));
    let client = |id: &str| Whom { client: Some(id.to_owned()), ..Whom::default() };
    for (whom, reached) in [
        (user("ann"), [1, 1, 0, 0]),
        (user(""), [0, 0, 0, 1]),
        (user("carl"), [0, 0, 0, 0]),
        (client("c3"), [0, 0, 1, 0]),
        (Whom { client: Some("c2".into()), ..user("ann") }, [0, 1, 0, 0]),
        (Whom { client: Some("c3".into()), ..user("ann") }, [0, 0, 0, 0]),
        (Whom { except: vec!["c1".into()], ..user("ann") }, [0, 1, 0, 0]),
    ] {
        rig.node.api().disconnect(whom.clone(), Disconnect::FORCE_NO_RECONNECT).unwrap();
        rig.local.deliver();
        let got = clients.each_ref().map(|client| client.orders.take().len());
        assert_eq!(got, reached, "{whom:?}");
    }
}

#[test]
fn orders_say_what_to_do() {
    let rig = Rig::new();
    let ann = rig.client("c1", "ann");
    let grant = SubscribeGrant { expire_at: NOW + 1, data: "{}".into(), ..SubscribeGrant::default() };
    let since = Some(Position { offset: 7, epoch: "e".into() });
    let api = rig.node.api();
    api.subscribe(user("ann"), "kept:a", grant.clone(), since.clone()).unwrap();
    api.unsubscribe(user("ann"), "kept:a").unwrap();
    api.unsubscribe(user("ann"), "").unwrap();
    api.disconnect(user("ann"), Disconnect { code: 4000, reason: "bye".into() }).unwrap();
    api.refresh(user("ann"), false, NOW + 60, "1".into()).unwrap();
    rig.local.deliver();
    let orders: Vec<_> = ann.orders.take().iter().map(|control| control.order.clone()).collect();
    let [subscribe, one, all, disconnect, refresh] = &orders[..] else { panic!("{orders:?}") };
    assert!(matches!(subscribe, Order::Subscribe { channel, grant: with, since: from }
        if channel == "kept:a" && *with == grant && *from == since));
    assert!(
        matches!(one, Order::Unsubscribe { channel, reason } if channel == "kept:a" && reason.code == 2000)
    );
    assert!(matches!(all, Order::Unsubscribe { channel, .. } if channel.is_empty()));
    assert!(matches!(disconnect, Order::Disconnect(Disconnect { code: 4000, reason }) if reason == "bye"));
    assert!(matches!(refresh, Order::Refresh { expired: false, expire_at, info }
        if *expire_at == NOW + 60 && info == "1"));
}

#[test]
fn an_order_that_makes_no_sense_is_not_given() {
    type Order = fn(&Api<'_>, Whom) -> Result<(), ApiError>;
    fn subscribe(api: &Api<'_>, whom: Whom, channel: &str, expire_at: u64) -> Result<(), ApiError> {
        api.subscribe(whom, channel, SubscribeGrant { expire_at, ..SubscribeGrant::default() }, None)
    }
    fn disconnect(api: &Api<'_>, whom: Whom, code: u32, reason: &str) -> Result<(), ApiError> {
        api.disconnect(whom, Disconnect { code, reason: reason.to_owned().into() })
    }
    let orders: [(Order, u32); 14] = [
        (|api, whom| subscribe(api, whom, "kept:a", 0), 0),
        (|api, whom| subscribe(api, whom, "", 0), 107),
        (|api, whom| subscribe(api, whom, "unknown:a", 0), 102),
        (|api, whom| subscribe(api, whom, "kept:a", NOW), 107),
        (|api, whom| subscribe(api, whom, "kept:a", NOW + 1), 0),
        (|api, whom| api.unsubscribe(whom, "unknown:a"), 102),
        (|api, whom| disconnect(api, whom, 2999, ""), 107),
        (|api, whom| disconnect(api, whom, 3000, ""), 0),
        (|api, whom| disconnect(api, whom, 4999, &"r".repeat(123)), 0),
        (|api, whom| disconnect(api, whom, 4999, &"r".repeat(124)), 107),
        (|api, whom| disconnect(api, whom, 5000, ""), 107),
        // Whose time is past goes, as if it had expired.
        (|api, whom| api.refresh(whom, false, NOW - 1, Bytes::new()), 0),
        (|api, whom| api.refresh(whom, true, 0, Bytes::new()), 0),
        (|api, _| api.refresh(Whom::default(), true, 0, Bytes::new()), 107),
    ];
    let rig = Rig::new();
    let ann = rig.client("c1", "ann");
    for (index, (order, expected)) in orders.into_iter().enumerate() {
        assert_eq!(code(order(&rig.node.api(), user("ann"))), expected, "order {index}");
        rig.local.deliver();
        assert_eq!(ann.orders.take().len(), usize::from(expected == 0), "order {index}");
    }
}

#[test]
fn a_revoked_token_is_not_taken_and_its_connections_end() {
    let rig = Rig::new();
    let (ann, bob) = (rig.client("c1", "ann"), rig.client("c2", "bob"));
    let orders = || {
        rig.local.deliver();
        [&ann, &bob].map(|client| {
            let orders = client.orders.take();
            orders.first().map(|control| (control.whom.token.clone(), format!("{:?}", control.order)))
        })
    };
    let end = format!("{:?}", Order::Disconnect(Disconnect::INVALID_TOKEN));
    let revocations = rig.node.revocations();

    rig.node.api().revoke_token("t1", NOW + 10).unwrap();
    // Which connection came with the token its session knows.
    let id = Some((Some(TokenWhom::Id("t1".into())), end.clone()));
    assert_eq!(orders(), [id.clone(), id]);
    assert!(revocations.is_revoked("ann", "t1", NOW) && !revocations.is_revoked("ann", "t2", NOW));

    rig.node.api().invalidate_user_tokens("ann", None, 0).unwrap();
    assert_eq!(orders(), [Some((Some(TokenWhom::IssuedUntil(NOW)), end.clone())), None]);
    assert!(revocations.is_revoked("ann", "", NOW) && !revocations.is_revoked("ann", "", NOW + 1));

    rig.node.api().invalidate_user_tokens("bob", Some(NOW - 5), NOW + 10).unwrap();
    assert_eq!(orders(), [None, Some((Some(TokenWhom::IssuedUntil(NOW - 5)), end))]);
    assert!(revocations.is_revoked("bob", "", NOW - 5) && !revocations.is_revoked("bob", "", NOW - 4));

    rig.clock.advance(10_000);
    assert!(!revocations.is_revoked("bob", "t1", 0), "a revocation ends when it was said to");
    assert!(revocations.is_revoked("ann", "", 0), "and never, where no end was said");
}

#[test]
fn a_revocation_needs_a_name_and_a_time_to_come() {
    let rig = Rig::new();
    let api = rig.node.api();
    for (outcome, expected) in [
        (api.revoke_token("", 0), 107),
        (api.revoke_token("t", NOW), 107),
        (api.revoke_token("t", NOW + 1), 0),
        (api.invalidate_user_tokens("", None, 0), 107),
        (api.invalidate_user_tokens("ann", None, NOW - 1), 107),
        (api.invalidate_user_tokens("ann", Some(0), 0), 0),
    ] {
        assert_eq!(code(outcome), expected);
    }
    let full = (0..200_000).map(|n| api.revoke_token(&format!("t{n}"), 0)).find(Result::is_err);
    assert_eq!(full.map(code), Some(106), "they are limited");
}
