//! `connect`: who the client is, and what the server subscribes it to.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;

use super::{Phase, Session, Token, Who, end, refresh, subscribe, tie};
use crate::auth::TokenError;
use crate::backend::{ConnectAsk, Occurrence, SubscribeGrant};
use crate::channels::{Control, Order, Whom};
use crate::protocol::{
    ClientError, ClientInfo, ConnectRequest, ConnectResult, Disconnect, Encoding, Refusal, Reply, ServerSub,
    SubscribeRequest,
};
use crate::rules::{Rules, SubscribeRule};

/// The largest `data` of a `connect` command that can become connection info, in bytes: every publication carries it.
const INFO_LIMIT: usize = 4096;

/// Who somebody is, whoever says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Identity {
    pub(super) user: String,
    pub(super) expire_at: u64,
    pub(super) info: Bytes,
    pub(super) data: Bytes,
    pub(super) meta: Bytes,
    pub(super) subs: BTreeMap<String, SubscribeGrant>,
    /// The client may name channels that it may subscribe to anyway.
    may_choose: bool,
    pub(super) token: Option<Token>,
}

pub(super) async fn connect(
    session: &Rc<Session>,
    now: Instant,
    id: u32,
    request: ConnectRequest,
) -> Result<Option<Reply>, Refusal> {
    let outcome = admit(session, now, id, request).await;
    if let Err(Refusal::Error(error)) = &outcome {
        note!(info, session, code = error.code, "a client may not connect: {}", error.message);
        end::retreat(session);
    }
    outcome
}

/// What it gives is nothing where the client goes on with another session.
async fn admit(
    session: &Rc<Session>,
    now: Instant,
    id: u32,
    mut request: ConnectRequest,
) -> Result<Option<Reply>, Refusal> {
    let node = Arc::clone(&session.node);
    let rules = node.rules();
    let emulated_headers = match request.headers.is_empty() {
        true => Arc::clone(&super::NO_HEADERS),
        false => Arc::new(std::mem::take(&mut request.headers)),
    };
    session.state.borrow_mut().who.emulated_headers = Arc::clone(&emulated_headers);
    let mut identity = identify(session, &rules, &request).await?;
    if session.is_ended() {
        return Err(Disconnect::CONNECTION_CLOSED.into());
    }
    let (expire_at, left) = refresh::term(session, identity.expire_at)?;
    let is_resumable = tie::asks(session, &request.ext);
    if is_resumable
        && !request.session.is_empty()
        && tie::hand_over(session, &mut identity, &request.session, request.ack, id)
    {
        return Ok(None);
    }
    let arrival = node.arrivals.fetch_add(1, Ordering::Relaxed);
    make_way(session, &rules, &identity.user, arrival);
    if !node.census.enter(&identity.user, rules.client.user_connection_limit.min(limit_of(&identity.user))) {
        return Err(Disconnect::CONNECTION_LIMIT.into());
    }
    let user = match identity.user.as_str() {
        "" => Arc::default(),
        user => user.into(),
    };
    {
        let mut state = session.state.borrow_mut();
        let info = ClientInfo {
            user: identity.user.clone(),
            client: session.id.to_string(),
            conn_info: identity.info.clone(),
            chan_info: Bytes::new(),
        };
        state.who = Who {
            user: Arc::clone(&user),
            info: Arc::new(info),
            meta: identity.meta.clone(),
            emulated_headers,
            token: identity.token.take().unwrap_or_default(),
        };
        state.phase = Phase::Connected;
        state.expire_at = expire_at;
        state.dossier.open(node.clock.unix_ms(), session.local.programs(), &request.name, &request.version);
    }
    if is_resumable || session.transport.get().is_emulated() {
        tie::tie(session, session.secret, is_resumable, &user);
    }
    node.metrics.clients.add(1);
    if let Some(member) = session.line.upgrade() {
        session.local.enter(&session.id, &user, arrival, member);
    }
    note!(debug, session, transport = session.transport.get().name(), "a client connected");
    node.events.tell(Occurrence::Connected { asker: &session.asker() });

    let subs = subscribe_all(session, &rules, &mut identity, &request).await?;
    {
        let mut state = session.state.borrow_mut();
        state.pulse.pause();
        if session.transport.get().is_pinged() {
            state.pulse.start(now);
        }
    }
    refresh::schedule(session, now);
    let connected = ConnectResult { subs, ..tie::result(session, left, &identity.data) };
    Ok(Some(Reply { connect: Some(Box::new(connected)), ..Reply::default() }))
}

/// Seconds on the wire.
pub(super) fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Anonymous clients are not one user's.
fn limit_of(user: &str) -> usize {
    if user.is_empty() { 0 } else { usize::MAX }
}

/// Says who the client is: its token, the backend, or nobody.
async fn identify(
    session: &Rc<Session>,
    rules: &Rules,
    request: &ConnectRequest,
) -> Result<Identity, Refusal> {
    let node = &session.node;
    let options = &rules.client;
    if !request.token.is_empty() {
        let checked =
            node.keys().connect.connect(&request.token, options.insecure_skip_token_signature_verify);
        let token = checked.await.map_err(|error| refused_token(session, &error))?;
        if token.user.is_empty() && options.disallow_anonymous_connection_tokens {
            return Err(Disconnect::PERMISSION_DENIED.into());
        }
        if node.revocations.is_revoked(&token.user, &token.id, token.issued_at) {
            return Err(Disconnect::INVALID_TOKEN.into());
        }
        return Ok(Identity {
            user: token.user,
            expire_at: if options.insecure { 0 } else { token.expire_at },
            info: token.info,
            data: Bytes::new(),
            meta: token.meta,
            subs: token.subs,
            may_choose: true,
            token: Some(Token { id: token.id.into(), issued_at: token.issued_at }),
        });
    }
    if options.connect_proxy_enabled {
        let ask = ConnectAsk {
            asker: session.asker(),
            data: request.data.clone(),
            name: request.name.clone(),
            version: request.version.clone(),
            channels: request.subs.keys().cloned().collect(),
        };
        let grant = node.backend.connect(ask).await?;
        return Ok(Identity {
            user: grant.user,
            expire_at: grant.expire_at,
            info: grant.info,
            data: grant.data,
            meta: grant.meta,
            subs: grant.subs,
            ..Identity::default()
        });
    }
    if !options.allow_anonymous_connect_without_token && !options.insecure {
        return Err(Disconnect::BAD_REQUEST.into());
    }
    // Nobody vouches for the client, so it may introduce itself.
    let introduces = session.origin.encoding == Encoding::Json && request.data.starts_with(b"{");
    if introduces && request.data.len() > INFO_LIMIT {
        return Err(ClientError::LIMIT_EXCEEDED.into());
    }
    let info = if introduces { request.data.clone() } else { Bytes::new() };
    Ok(Identity { info, may_choose: true, ..Identity::default() })
}

/// What a client hears of a connection's token that is not taken.
pub(super) fn refused_token(session: &Session, error: &TokenError) -> Refusal {
    match error {
        TokenError::Expired => ClientError::TOKEN_EXPIRED.into(),
        TokenError::Invalid(why) => {
            note!(info, session, why = why.as_str(), "a connection's token is not valid");
            Disconnect::INVALID_TOKEN.into()
        }
        TokenError::Unchecked(why) => {
            note!(error, session, why = why.as_str(), "a connection's token could not be checked");
            ClientError::INTERNAL.into()
        }
    }
}

/// Ends the user's earlier connections, where a user may have one only. Of two that come at once, on two workers, each has entered
/// before it hears of the other, and only the first is to go.
fn make_way(session: &Rc<Session>, rules: &Rules, user: &str, arrival: u64) {
    let personal = &rules.client.personal_channel;
    if personal.enabled && personal.single_connection && !user.is_empty() {
        let whom = Whom { user: Some(user.to_owned()), before: Some(arrival), ..Whom::default() };
        session.node.hub.control(Control { whom, order: Order::Disconnect(Disconnect::CONNECTION_LIMIT) });
    }
}

/// Subscribes the client to what its token or the backend says, to its own channel, and to what it asks for and may have.
async fn subscribe_all(
    session: &Rc<Session>,
    rules: &Rules,
    identity: &mut Identity,
    request: &ConnectRequest,
) -> Result<Vec<ServerSub>, Refusal> {
    let mut grants = std::mem::take(&mut identity.subs);
    // Those that the backend gave are the backend's to take: a refresh does not compare them.
    let of_token: BTreeSet<String> = grants.keys().filter(|_| identity.may_choose).cloned().collect();
    if let Some(own) = rules.personal_channel(&identity.user) {
        grants.entry(own).or_default();
    }
    if identity.may_choose {
        for name in request.subs.keys().filter(|name| !name.is_empty()) {
            let Ok(channel) = rules.channel(name) else { continue };
            if rules.subscribe(&channel, &identity.user) == SubscribeRule::Allowed {
                grants.entry(name.clone()).or_default();
            }
        }
    }
    if rules.client.channel_limit > 0 && grants.len() > rules.client.channel_limit {
        return Err(Disconnect::CHANNEL_LIMIT.into());
    }
    let mut subs = Vec::with_capacity(grants.len());
    for (name, grant) in grants {
        let asked = request.subs.get(&name).cloned().unwrap_or_default();
        let asked = SubscribeRequest { channel: name.clone(), token: String::new(), ..asked };
        let is_of_token = of_token.contains(&name);
        let result = subscribe::by_server(session, rules, &asked, grant, is_of_token).await?;
        subs.push(ServerSub { channel: name, result: Some(result) });
    }
    Ok(subs)
}
