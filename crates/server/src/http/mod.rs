//! HTTP: one router for plain requests and upgrades alike.
//!
//! ```text
//!   bytes ─► head (strict, bounded, timed) ─► hyper ─► router ─► a page, a refusal,
//!                                                             or 101 ─► the bare stream ─► socket
//! ```
//!
//! The first head of a connection is scanned here before hyper sees it: what is wrong with it gets an answer that says so.
//! After a 101 hyper gives the stream back, and its buffers go.

mod asset;
mod body;
mod cors;
mod downlink;
mod front;
mod guard;
mod h2;
mod head;
mod name;
mod rewind;
mod router;
mod secure;
mod upgrade;

use std::net::IpAddr;

use antiphon_hub::Origin;
use antiphon_hub::protocol::PollRequest;
use bytes::Bytes;

use crate::resident::{Dialect, Reply, Wish};
use crate::serve::Pass;

pub(crate) use asset::response as file;
pub(crate) use front::{go_on, serve};
pub(crate) use name::decode as percent_decode;
pub(crate) use name::query;
pub(crate) use secure::serve as serve_tls;

/// Who a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor {
    pub(crate) peer: IpAddr,
    /// The connection speaks TLS here. One before a proxy is not known of.
    pub(crate) is_tls: bool,
}

/// What follows a response, or stands for it.
#[derive(Debug)]
enum Then {
    /// The stream of the connection, after a 101.
    Upgrade(upgrade::Upgrade),
    /// Somebody else writes the response.
    Take(Taken),
}

/// A request that is answered when there is something to say.
#[derive(Debug)]
enum Taken {
    Stream { dialect: Dialect, said: Bytes, origin: Origin, pass: Pass, reply: Reply },
    Events { wish: Wish, token: String, origin: Origin, pass: Pass, reply: Reply },
    FirstPoll { request: PollRequest, origin: Origin, pass: Pass, reply: Reply },
    Poll { request: PollRequest, reply: Reply },
}

impl Taken {
    /// What matters of the request for its response.
    fn reply_mut(&mut self) -> &mut Reply {
        match self {
            Self::Stream { reply, .. }
            | Self::Events { reply, .. }
            | Self::FirstPoll { reply, .. }
            | Self::Poll { reply, .. } => reply,
        }
    }
}
