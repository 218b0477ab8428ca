//! What the server is told to do: sections of settings, their defaults, and where they come from.

mod duration;
mod keys;
mod load;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub(crate) use duration::Span;
pub(crate) use load::{Layers, check};

/// The commented defaults, as `antiphon config default` prints them. A test holds them equal to [`Config::default`].
pub(crate) const DEFAULT_TOML: &str = include_str!("default.toml");

/// Every setting of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) http: Http,
    pub(crate) websocket: WebSocket,
    pub(crate) echo: Echo,
    pub(crate) client: Client,
    pub(crate) channel: Channel,
    pub(crate) shutdown: Shutdown,
}

impl Config {
    /// The settings of development mode: everybody on this machine may do everything.
    pub(crate) fn development() -> Self {
        Self {
            echo: Echo { enabled: true },
            client: Client { allow_anonymous_connect_without_token: true, ..Client::default() },
            channel: Channel {
                allow_subscribe_for_client: true,
                allow_publish_for_client: true,
                ..Channel::default()
            },
            ..Self::default()
        }
    }
}

/// `[http]`: where the server listens, and with how many threads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: Vec<SocketAddr>,
    /// 0 is one worker for each core.
    pub(crate) workers: u16,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 8000))], workers: 0 }
    }
}

/// `[websocket]`: what holds for WebSockets other than `/echo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebSocket {
    pub(crate) compression: bool,
    pub(crate) message_size_limit: usize,
    pub(crate) frame_size_limit: usize,
    pub(crate) fragment_limit: u32,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            compression: false,
            message_size_limit: 64 * 1024,
            frame_size_limit: 64 * 1024,
            fragment_limit: 1024,
        }
    }
}

/// `[echo]`: the echo endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Echo {
    pub(crate) enabled: bool,
}

/// `[client]`: who may connect, and how long a silent or slow client is borne.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) allow_anonymous_connect_without_token: bool,
    pub(crate) ping_interval: Span,
    pub(crate) pong_timeout: Span,
    pub(crate) stale_close_delay: Span,
    pub(crate) queue_max_size: usize,
    pub(crate) channel_limit: usize,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            allow_anonymous_connect_without_token: false,
            ping_interval: Span::seconds(25),
            pong_timeout: Span::seconds(8),
            stale_close_delay: Span::seconds(10),
            queue_max_size: 1024 * 1024,
            channel_limit: 128,
        }
    }
}

/// `[channel]`: what clients may do in channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Channel {
    pub(crate) max_length: usize,
    pub(crate) allow_subscribe_for_client: bool,
    pub(crate) allow_publish_for_client: bool,
}

impl Default for Channel {
    fn default() -> Self {
        Self { max_length: 255, allow_subscribe_for_client: false, allow_publish_for_client: false }
    }
}

/// `[shutdown]`: how the server ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    pub(crate) drain_timeout: Span,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain_timeout: Span::seconds(30) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_defaults_are_the_defaults() {
        let printed: toml::Table = DEFAULT_TOML.parse().unwrap();
        let real = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(printed, real);
    }
}
