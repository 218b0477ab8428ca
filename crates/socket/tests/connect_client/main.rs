//! The client against real peers on loopback: TCP, TLS and proxies. No other address is contacted.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

mod dial;
mod handshake;
#[cfg(all(feature = "http2", feature = "hyper"))]
mod http2;
mod proxy_http;
mod proxy_socks5;
mod support;
mod tls;
