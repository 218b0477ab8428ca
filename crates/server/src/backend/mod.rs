//! The application behind the server, over HTTP: the questions it is asked before something is done, and the events that
//! it is told of afterwards.
//!
//! ```text
//!  sessions, on the workers' threads            one background runtime
//!  ─────────────────────────────────            ──────────────────────
//!  HttpBackend ── question ──────────────────►  Client ── POST ──► application
//!              ◄─ oneshot ────────────────────         ◄─ answer ──
//!  HttpEvents.tell ── queue, bounded ────────►  courier ── POST of a batch, again until it is taken
//! ```
//!
//! The workers' event loops serve thousands of clients each, so they only write a question and wait for its answer; sockets,
//! TLS and timers of the application's connections live on the runtime that [`Client`] is given.

mod client;
mod endpoint;
mod events;
mod headers;
mod proxy;
mod settings;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use client::{CallError, Client};
pub(crate) use endpoint::Endpoint;
pub(crate) use events::{EventSettings, EventStats, HttpEvents};
pub(crate) use proxy::{HookStats, HttpBackend};
pub(crate) use settings::{BackendSettings, ProxySettings, StatusTransform};
