//! Who may do what where: the options, compiled, and asked without a session.

mod names;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde::de::IgnoredAny;

use crate::data::Data;
use crate::engine::Keep;
use crate::options::{ChannelOptions, ClientOptions, DataFormat, Namespace, Naming, RpcOptions};
use crate::protocol::ClientError;

/// The options, ready to be asked.
#[derive(Debug)]
pub struct Rules {
    /// What holds for every client.
    pub client: ClientOptions,
    naming: Naming,
    without_namespace: Arc<ChannelRules>,
    namespaces: HashMap<String, Arc<ChannelRules>>,
    rpc_boundary: String,
    rpc_without_namespace: RpcOptions,
    rpc_namespaces: HashMap<String, RpcOptions>,
}

/// What holds for the channels of one namespace.
#[derive(Debug, Default)]
pub struct ChannelRules {
    /// The options.
    pub options: ChannelOptions,
    /// What channels keep.
    pub keep: Keep,
    regex: Option<Regex>,
    format: DataFormat,
}

/// What the rules are made of.
#[derive(Debug, Default)]
pub struct RuleBook {
    /// What holds for every client.
    pub client: ClientOptions,
    /// How names are read.
    pub naming: Naming,
    /// Channels outside every namespace.
    pub without_namespace: ChannelOptions,
    /// The namespaces.
    pub namespaces: Vec<Namespace>,
    /// How long epoch and offset are kept where a namespace does not say.
    pub history_meta_ttl: Duration,
    /// What data must be where a namespace does not say.
    pub publication_data_format: DataFormat,
    /// Ends the namespace in the name of a method.
    pub rpc_namespace_boundary: String,
    /// Methods outside every namespace.
    pub rpc_without_namespace: RpcOptions,
    /// Namespaces of methods.
    pub rpc_namespaces: HashMap<String, RpcOptions>,
}

/// A channel, with what holds for it.
#[derive(Debug, Clone)]
pub struct Channel<'a> {
    /// The whole name.
    pub name: &'a str,
    /// Its namespace, where it is in one.
    pub namespace: Option<&'a str>,
    /// What holds for it.
    pub rules: &'a Arc<ChannelRules>,
    /// It needs a token.
    pub private: bool,
    /// The users that may subscribe, where the name lists them.
    users: Option<(&'a str, &'a str)>,
}

/// Who may subscribe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeRule {
    /// The client may.
    Allowed,
    /// The backend is asked.
    Ask,
    /// The client may not.
    Denied,
}

impl Rules {
    /// # Errors
    /// When a regular expression is none; the sentence names the namespace.
    pub fn new(book: RuleBook) -> Result<Self, String> {
        let compile = |name: &str, options: ChannelOptions| -> Result<Arc<ChannelRules>, String> {
            let regex = match options.channel_regex.as_str() {
                "" => None,
                text => Some(Regex::new(text).map_err(|e| format!("channel_regex of {name}: {e}"))?),
            };
            let meta_ttl = match options.history_meta_ttl.0 {
                Duration::ZERO => book.history_meta_ttl,
                own => own,
            };
            let keep = Keep { size: options.history_size, ttl: options.history_ttl.0, meta_ttl };
            let own = options.publication_data_format.filter(|format| *format != DataFormat::NotEmpty);
            let format = own.unwrap_or(book.publication_data_format);
            Ok(Arc::new(ChannelRules { options, keep, regex, format }))
        };
        let namespaces = book.namespaces.into_iter().map(|Namespace { name, options }| {
            let rules = compile(&format!("namespace {name:?}"), options)?;
            Ok((name, rules))
        });
        Ok(Self {
            namespaces: namespaces.collect::<Result<_, String>>()?,
            without_namespace: compile("channel.without_namespace", book.without_namespace)?,
            client: book.client,
            naming: book.naming,
            rpc_boundary: book.rpc_namespace_boundary,
            rpc_without_namespace: book.rpc_without_namespace,
            rpc_namespaces: book.rpc_namespaces,
        })
    }

    /// The channel of a name.
    ///
    /// # Errors
    /// [`BAD_REQUEST`](ClientError::BAD_REQUEST) where the name is too long, has control characters or does not match what its namespace asks for;
    /// [`UNKNOWN_CHANNEL`](ClientError::UNKNOWN_CHANNEL) where there is no such namespace.
    pub fn channel<'a>(&'a self, name: &'a str) -> Result<Channel<'a>, ClientError> {
        if name.is_empty() || name.len() > self.naming.max_length || name.chars().any(char::is_control) {
            return Err(ClientError::BAD_REQUEST);
        }
        let parsed = names::parse(&self.naming, name);
        let rules = match parsed.namespace {
            None => &self.without_namespace,
            Some(namespace) => self.namespaces.get(namespace).ok_or(ClientError::UNKNOWN_CHANNEL)?,
        };
        let fits = match &rules.regex {
            Some(regex) => regex.is_match(parsed.rest),
            None => name.is_ascii(),
        };
        if !fits {
            return Err(ClientError::BAD_REQUEST);
        }
        let users = parsed.users.filter(|_| rules.options.allow_user_limited_channels);
        Ok(Channel {
            name,
            namespace: parsed.namespace,
            rules,
            private: parsed.private,
            users: users.map(|users| (users, self.naming.user_separator.as_str())),
        })
    }

    /// The boundary of namespaces in names of channels.
    pub fn namespace_boundary(&self) -> &str {
        &self.naming.namespace_boundary
    }

    /// The channel of a user's own, where users have one.
    pub fn personal_channel(&self, user: &str) -> Option<String> {
        let personal = &self.client.personal_channel;
        if !personal.enabled || user.is_empty() {
            return None;
        }
        let Naming { namespace_boundary, user_boundary, .. } = &self.naming;
        Some(match personal.personal_channel_namespace.as_str() {
            "" => format!("{user_boundary}{user}"),
            namespace => format!("{namespace}{namespace_boundary}{user_boundary}{user}"),
        })
    }

    /// What holds for a method.
    ///
    /// # Errors
    /// [`METHOD_NOT_FOUND`](ClientError::METHOD_NOT_FOUND) where no backend answers it, and
    /// [`NOT_AVAILABLE`](ClientError::NOT_AVAILABLE) where no method is answered at all.
    pub fn rpc(&self, method: &str) -> Result<&RpcOptions, ClientError> {
        if !self.rpc_without_namespace.proxy_enabled
            && !self.rpc_namespaces.values().any(|rpc| rpc.proxy_enabled)
        {
            return Err(ClientError::NOT_AVAILABLE);
        }
        let namespace = method.split_once(&self.rpc_boundary).filter(|_| !self.rpc_boundary.is_empty());
        let options = match namespace {
            None => Some(&self.rpc_without_namespace),
            Some((namespace, _)) => self.rpc_namespaces.get(namespace),
        };
        options.filter(|options| options.proxy_enabled).ok_or(ClientError::METHOD_NOT_FOUND)
    }

    /// Who may subscribe to a channel, where no token says so.
    pub fn subscribe(&self, channel: &Channel<'_>, user: &str) -> SubscribeRule {
        let options = &channel.rules.options;
        if channel.private {
            return SubscribeRule::Denied;
        }
        let allowed = match channel.is_of(user) {
            Some(true) => true,
            Some(false) => false,
            None if options.subscribe_proxy_enabled => return SubscribeRule::Ask,
            None => is_let(options.allow_subscribe_for_client, options.allow_subscribe_for_anonymous, user),
        };
        if allowed || self.client.insecure { SubscribeRule::Allowed } else { SubscribeRule::Denied }
    }

    /// Whether somebody may publish to a channel that no backend is asked about.
    pub fn may_publish(&self, channel: &Channel<'_>, user: &str, is_subscribed: bool) -> bool {
        let options = &channel.rules.options;
        let own = options.allow_publish_for_client || options.allow_publish_for_subscriber && is_subscribed;
        is_let(own, options.allow_publish_for_anonymous, user) || self.client.insecure
    }

    /// Whether somebody may ask who is in a channel.
    pub fn may_see_presence(&self, channel: &Channel<'_>, user: &str, is_subscribed: bool) -> bool {
        let options = &channel.rules.options;
        let own = options.allow_presence_for_client || options.allow_presence_for_subscriber && is_subscribed;
        is_let(own, options.allow_presence_for_anonymous, user) || self.client.insecure
    }

    /// Whether somebody may ask for past publications of a channel.
    pub fn may_see_history(&self, channel: &Channel<'_>, user: &str, is_subscribed: bool) -> bool {
        let options = &channel.rules.options;
        let own = options.allow_history_for_client || options.allow_history_for_subscriber && is_subscribed;
        is_let(own, options.allow_history_for_anonymous, user) || self.client.insecure
    }
}

fn is_let(clients: bool, anonymous: bool, user: &str) -> bool {
    clients && (!user.is_empty() || anonymous)
}

impl Channel<'_> {
    /// Whether the channel is for this user, where its name lists users.
    fn is_of(&self, user: &str) -> Option<bool> {
        let (users, separator) = self.users?;
        if user.is_empty() {
            return Some(false);
        }
        Some(match separator {
            "" => users == user,
            separator => users.split(separator).any(|listed| listed == user),
        })
    }
}

impl ChannelRules {
    /// The data of a client's command, as what it may be.
    ///
    /// # Errors
    /// [`BAD_REQUEST`](ClientError::BAD_REQUEST) where it must not be published here.
    pub fn check(&self, data: Data) -> Result<Data, ClientError> {
        let bytes = data.bytes();
        let good = match self.format {
            DataFormat::NotEmpty => !bytes.is_empty(),
            DataFormat::Binary => true,
            DataFormat::Json => is_json(bytes),
            DataFormat::JsonObject => bytes.trim_ascii_start().starts_with(b"{") && is_json(bytes),
        };
        if good { Ok(data) } else { Err(ClientError::BAD_REQUEST) }
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}
