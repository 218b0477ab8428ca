//! What values of the right types must not be.

mod acme;

use std::collections::BTreeSet;

use antiphon_hub::Span;
use antiphon_hub::auth::TokenOptions;
use antiphon_hub::options::{ChannelOptions, RecoveryMode};
use antiphon_proto::handshake::OriginPolicy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use regex::Regex;
use tracing_subscriber::filter::Targets;

use super::Config;
use super::fault::Fault;
use super::proxy::Proxy;

/// The longest reason that a Close frame has room for (RFC 6455 §5.5), in bytes.
const REASON_LIMIT: usize = 123;

/// Every value that contradicts another, lets nothing through, or is none of its kind.
///
/// In development mode the server may make what is missing.
pub(super) fn contradictions(config: &Config, development: bool) -> Vec<Fault> {
    let mut check = Check { config, found: Vec::new() };
    check.limits();
    check.admin(development);
    check.client();
    check.channels();
    check.rpc();
    check.names("proxies", config.proxies.iter().map(|proxy| &proxy.name));
    for (index, named) in config.proxies.iter().enumerate() {
        let at = format!("proxies[{index}]");
        if named.name == "default" {
            check.say(
                &at,
                "name",
                "is \"default\", which stands for the backends in their sections; take another",
            );
        }
        check.proxy(&at, &named.proxy);
    }
    check.outside();
    check.found
}

struct Check<'a> {
    config: &'a Config,
    found: Vec<Fault>,
}

impl<'a> Check<'a> {
    /// Notes that the key `name` of the section `at` is not as it must be.
    fn say(&mut self, at: &str, name: &str, says: impl AsRef<str>) {
        let path = super::fault::join(at, name);
        let says = format!("{path} {}", says.as_ref());
        self.found.push(Fault { path, says });
    }

    fn limits(&mut self) {
        let Config { http, tls, http2, websocket, client, channel, events, .. } = self.config;
        if http.listen.is_empty() {
            self.say("http", "listen", "is empty; name at least one ADDRESS:PORT");
        }
        for (name, given, other) in [("cert", &tls.cert, &tls.key), ("key", &tls.key, &tls.cert)] {
            if given.as_os_str().is_empty() && !other.as_os_str().is_empty() {
                self.say("tls", name, "is empty; TLS needs a certificate and its key, both in PEM files");
            }
        }
        self.acme();
        for (at, name, value) in [
            ("http2", "max_concurrent_streams", http2.max_concurrent_streams as usize),
            ("websocket", "message_size_limit", websocket.message_size_limit),
            ("websocket", "frame_size_limit", websocket.frame_size_limit),
            ("websocket", "fragment_limit", websocket.fragment_limit as usize),
            ("client", "queue_max_size", client.options.queue_max_size),
            ("channel", "max_length", channel.naming.max_length),
            ("events", "batch_size", events.batch_size),
            ("events", "queue_size", events.queue_size),
        ] {
            if value == 0 {
                self.say(at, name, "is 0, which lets nothing through; it must be at least 1");
            }
        }
        for (at, name, value) in [
            ("client", "stale_close_delay", client.options.stale_close_delay),
            ("http2", "ping_interval", http2.ping_interval),
            ("http2", "ping_timeout", http2.ping_timeout),
            ("events", "timeout", events.timeout),
            ("events", "retry_min", events.retry_min),
        ] {
            self.some_time(at, name, value);
        }
        if events.retry_min > events.retry_max {
            let says = format!(
                "is {} and events.retry_max {}; it must not be longer",
                events.retry_min, events.retry_max
            );
            self.say("events", "retry_min", says);
        }
    }

    fn admin(&mut self, development: bool) {
        let admin = &self.config.admin;
        if !admin.enabled {
            return;
        }
        self.some_time("admin", "session_ttl", admin.session_ttl);
        if !development && admin.password.is_empty() && admin.token.is_empty() {
            let says =
                "is true, and nobody could log in: set admin.password for people, or admin.token for scripts";
            self.say("admin", "enabled", says);
        }
    }

    fn client(&mut self) {
        let client = &self.config.client;
        let origins = client.allowed_origins.iter().map(String::as_str).filter(|origin| *origin != "*");
        if let Err(error) = OriginPolicy::listed(origins) {
            self.say("client", "allowed_origins", format!("has what is none: {error}"));
        }
        let (interval, timeout) = (client.options.ping_interval, client.options.pong_timeout);
        if !interval.is_zero() && timeout >= interval {
            let says =
                format!("is {timeout} and client.ping_interval {interval}; the timeout must be shorter");
            self.say("client", "pong_timeout", says);
        }
        self.token("client.token", &client.token);
        self.token("client.subscription_token", &client.subscription_token.token);
        for (at, switched) in
            [("client.proxy.connect", &client.proxy.connect), ("client.proxy.refresh", &client.proxy.refresh)]
        {
            if switched.enabled {
                self.proxy(at, &switched.proxy);
            }
        }
        self.personal_channel();
    }

    fn personal_channel(&mut self) {
        let Config { client, channel, .. } = self.config;
        let personal = &client.options.personal_channel;
        let at = "client.subscribe_to_user_personal_channel";
        let name = &personal.personal_channel_namespace;
        let options = match &**name {
            "" => Some(&channel.without_namespace),
            _ => channel.namespaces.iter().find(|namespace| namespace.name == *name).map(|n| &n.options),
        };
        match options {
            _ if !personal.enabled => {}
            None => {
                let says = format!("is {name:?}, and no [[channel.namespaces]] has that name");
                self.say(at, "personal_channel_namespace", says);
            }
            Some(options) if personal.single_connection && !options.presence => {
                self.say(
                    at,
                    "single_connection",
                    "needs the presence of the namespace; set presence = true there",
                );
            }
            Some(_) => {}
        }
    }

    fn token(&mut self, at: &str, token: &TokenOptions) {
        for (name, pem) in [
            ("rsa_public_key", &token.rsa_public_key),
            ("ecdsa_public_key", &token.ecdsa_public_key),
            ("ed25519_public_key", &token.ed25519_public_key),
        ] {
            if !pem.is_empty() && !is_public_pem(pem) {
                self.say(at, name, "is no public key in PEM; it begins with -----BEGIN PUBLIC KEY-----");
            }
        }
        for (exact, name, pattern, text) in [
            ("audience", "audience_regex", &token.audience_regex, &token.audience),
            ("issuer", "issuer_regex", &token.issuer_regex, &token.issuer),
        ] {
            self.regex(at, name, pattern);
            if !pattern.is_empty() && !text.is_empty() {
                self.say(at, name, format!("and {at}.{exact} are both set; set one of them"));
            }
        }
        let claim = &token.user_id_claim;
        if !claim.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            self.say(
                at,
                "user_id_claim",
                format!("is {claim:?}; the name of a claim has only letters and _"),
            );
        }
        if !token.jwks_public_endpoint.is_empty() {
            // What stands for a part of the URL stands where any letters may.
            let endpoint = token.jwks_public_endpoint.replace("{{", "").replace("}}", "");
            self.url(at, "jwks_public_endpoint", &endpoint);
        }
    }

    fn channels(&mut self) {
        let channel = &self.config.channel;
        self.options("channel.without_namespace", &channel.without_namespace);
        for (index, namespace) in channel.namespaces.iter().enumerate() {
            self.options(&format!("channel.namespaces[{index}]"), &namespace.options);
        }
        self.names("channel.namespaces", channel.namespaces.iter().map(|namespace| &namespace.name));
        self.boundary("channel", &channel.naming.namespace_boundary, channel.namespaces.is_empty());
    }

    fn options(&mut self, at: &str, options: &'a ChannelOptions) {
        let channel = &self.config.channel;
        if (options.history_size > 0) == options.history_ttl.is_zero() {
            let (size, ttl) = (options.history_size, options.history_ttl);
            let says = format!("is {size} and history_ttl {ttl}; a history needs both, none needs neither");
            self.say(at, "history_size", says);
        }
        for (name, value) in
            [("force_recovery", options.force_recovery), ("force_positioning", options.force_positioning)]
        {
            if value && !options.has_history() {
                self.say(at, name, "needs a history; set history_size and history_ttl");
            }
        }
        let meta_ttl = match options.history_meta_ttl {
            Span::ZERO => channel.history_meta_ttl,
            own => own,
        };
        if options.history_ttl > meta_ttl {
            let says =
                format!("is {} and history_meta_ttl {meta_ttl}; it must not be longer", options.history_ttl);
            self.say(at, "history_ttl", says);
        }
        let recovers_cache = options.force_recovery && options.force_recovery_mode == RecoveryMode::Cache;
        if options.auto_cache_recover && !recovers_cache {
            self.say(
                at,
                "auto_cache_recover",
                "needs force_recovery = true and force_recovery_mode = \"cache\"",
            );
        }
        self.regex(at, "channel_regex", &options.channel_regex);
        let own = &channel.proxy;
        for (kind, enabled, name, own) in [
            ("subscribe", options.subscribe_proxy_enabled, &options.subscribe_proxy_name, &own.subscribe),
            ("publish", options.publish_proxy_enabled, &options.publish_proxy_name, &own.publish),
            (
                "sub_refresh",
                options.sub_refresh_proxy_enabled,
                &options.sub_refresh_proxy_name,
                &own.sub_refresh,
            ),
        ] {
            let key = format!("{kind}_proxy_name");
            self.refers(at, &key, enabled, name, &format!("channel.proxy.{kind}"), own);
        }
    }

    fn rpc(&mut self) {
        let rpc = &self.config.rpc;
        let namespaces = rpc.namespaces.iter().enumerate();
        let namespaces =
            namespaces.map(|(index, namespace)| (format!("rpc.namespaces[{index}]"), &namespace.options));
        for (at, options) in
            [("rpc.without_namespace".to_owned(), &rpc.without_namespace)].into_iter().chain(namespaces)
        {
            self.refers(
                &at,
                "proxy_name",
                options.proxy_enabled,
                &options.proxy_name,
                "rpc.proxy",
                &rpc.proxy,
            );
        }
        self.names("rpc.namespaces", rpc.namespaces.iter().map(|namespace| &namespace.name));
        self.boundary("rpc", &rpc.namespace_boundary, rpc.namespaces.is_empty());
    }

    /// A namespace's reference to a backend, whose own section, for want of a name, is `own_at`.
    fn refers(&mut self, at: &str, key: &str, enabled: bool, name: &str, own_at: &str, own: &'a Proxy) {
        match self.config.proxy(own, name) {
            None => self.say(at, key, format!("is {name:?}, and no [[proxies]] has that name")),
            Some(proxy) if enabled && std::ptr::eq(proxy, own) => self.proxy(own_at, own),
            Some(_) => {}
        }
    }

    fn proxy(&mut self, at: &str, proxy: &Proxy) {
        // Several namespaces may refer to the same backend.
        if self.found.iter().any(|fault| fault.path.starts_with(&format!("{at}."))) {
            return;
        }
        self.url(at, "endpoint", &proxy.endpoint);
        self.some_time(at, "timeout", proxy.timeout);
        for (index, transform) in proxy.http.status_to_code_transforms.iter().enumerate() {
            let at = format!("{at}.http.status_to_code_transforms[{index}]");
            if !(100..=599).contains(&transform.status_code) {
                self.say(
                    &at,
                    "status_code",
                    format!("is {}, which is no status of HTTP", transform.status_code),
                );
            }
            if (transform.to_error.code > 0) == (transform.to_disconnect.code > 0) {
                self.say(&at, "to_error.code", "or to_disconnect.code must be given, and not both");
            }
            for (key, text) in [
                ("to_error.message", &transform.to_error.message),
                ("to_disconnect.reason", &transform.to_disconnect.reason),
            ] {
                if !text.is_ascii() || text.len() > REASON_LIMIT {
                    self.say(&at, key, format!("must be ASCII, and {REASON_LIMIT} characters at most"));
                }
            }
        }
    }

    /// What goes out of the server by itself.
    fn outside(&mut self) {
        let Config { events, log, opentelemetry, .. } = self.config;
        if !events.endpoint.is_empty() {
            self.url("events", "endpoint", &events.endpoint);
            if events.secret.is_empty() {
                self.say("events", "secret", "is empty; set one, so that the application can tell who posts");
            }
        }
        if opentelemetry.enabled {
            self.url("opentelemetry", "endpoint", &opentelemetry.endpoint);
        }
        if let Err(error) = log.level.parse::<Targets>() {
            self.say(
                "log",
                "level",
                format!("is {:?}: {error}; write error, warn, info, debug or trace", log.level),
            );
        }
    }

    fn names(&mut self, list: &str, names: impl Iterator<Item = &'a String>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            let at = format!("{list}[{index}]");
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if name.len() < 2 || !name.bytes().all(fits) {
                let says = format!("is {name:?}; a name has at least two letters, digits, -, _ or .");
                self.say(&at, "name", says);
            }
            if !seen.insert(name) {
                self.say(&at, "name", format!("is {name:?}, as of another one; names must differ"));
            }
        }
    }

    fn boundary(&mut self, at: &str, boundary: &str, unused: bool) {
        if boundary.is_empty() && !unused {
            let says = format!("is empty, so that no name is in one of [[{at}.namespaces]]; take \":\"");
            self.say(at, "namespace_boundary", says);
        }
    }

    fn some_time(&mut self, at: &str, name: &str, value: Span) {
        if value.is_zero() {
            self.say(at, name, "is 0s, which nobody can keep; it must be longer");
        }
    }

    fn regex(&mut self, at: &str, name: &str, pattern: &str) {
        if let Err(error) = Regex::new(pattern) {
            // The last of its lines says what is wrong; those before it draw it.
            let error = error.to_string();
            let error = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            self.say(at, name, format!("is {pattern:?}, no regular expression: {error}"));
        }
    }

    fn url(&mut self, at: &str, name: &str, text: &str) {
        let is_url = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if !text.parse().is_ok_and(|uri| is_url(&uri)) {
            self.say(at, name, format!("is {text:?}; write a URL, such as \"https://example.com/path\""));
        }
    }
}

/// Whether a text looks like a public key, or a certificate with one, in PEM (RFC 7468).
fn is_public_pem(text: &str) -> bool {
    let body = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"].iter().find_map(|label| {
        let text = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
        text.strip_suffix(&format!("-----END {label}-----"))
    });
    let body = body.map(|body| body.split_whitespace().collect::<String>());
    body.is_some_and(|body| STANDARD.decode(body).is_ok_and(|key| !key.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::check;

    const PROXY: &str = "endpoint = \"http://a\"\n";

    #[test]
    fn what_cannot_be_is_named_with_its_line_and_the_way_out() {
        for (text, says) in [
            ("[http]\nlisten = []", "f:2: http.listen is empty; name at least one"),
            ("[websocket]\nfragment_limit = 0", "f:2: websocket.fragment_limit is 0"),
            ("[channel]\nmax_length = 0", "f:2: channel.max_length is 0"),
            (
                "[client]\nping_interval = \"1s\"",
                "f:1: client.pong_timeout is 8s and client.ping_interval 1s",
            ),
            ("[client]\nstale_close_delay = \"0s\"", "f:2: client.stale_close_delay is 0s"),
            ("[client]\nallowed_origins = [\"example.com\"]", "f:2: client.allowed_origins has what is none"),
            (
                "[admin]\nenabled = true",
                "f:2: admin.enabled is true, and nobody could log in: set admin.password",
            ),
            ("[admin]\nenabled = true\ntoken = \"t\"\nsession_ttl = \"0s\"", "f:4: admin.session_ttl is 0s"),
            ("[log]\nlevel = \"a=b\"", "f:2: log.level is \"a=b\""),
            (
                "[opentelemetry]\nenabled = true\nendpoint = \"localhost:4318\"",
                "f:3: opentelemetry.endpoint is",
            ),
            (
                "[events]\nendpoint = \"ftp://a/\"\nsecret = \"s\"",
                "f:2: events.endpoint is \"ftp://a/\"; write a URL",
            ),
            ("[events]\nendpoint = \"http://a/\"", "f:1: events.secret is empty; set one"),
            ("[events]\nretry_min = \"1m\"", "f:2: events.retry_min is 1m and events.retry_max 30s"),
            // Tokens.
            (
                "[client.token]\nrsa_public_key = \"MIIB\"",
                "f:2: client.token.rsa_public_key is no public key in PEM",
            ),
            (
                "[client.subscription_token]\necdsa_public_key = \"\"\"\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\"\"\"",
                "f:2: client.subscription_token.ecdsa_public_key is no public key in PEM",
            ),
            (
                "[client.token]\nissuer_regex = \"(\"",
                "f:2: client.token.issuer_regex is \"(\", no regular expression: unclosed group",
            ),
            (
                "[client.token]\naudience = \"a\"\naudience_regex = \"b\"",
                "f:3: client.token.audience_regex and",
            ),
            ("[client.token]\nuser_id_claim = \"a.b\"", "f:2: client.token.user_id_claim is \"a.b\""),
            ("[client.token]\njwks_public_endpoint = \"/keys\"", "f:2: client.token.jwks_public_endpoint is"),
            // Channels.
            ("[[channel.namespaces]]\nname = \"a\"", "f:2: channel.namespaces[0].name is \"a\""),
            ("[[channel.namespaces]]\npresence = true", "f:1: channel.namespaces[0].name is \"\""),
            ("[[channel.namespaces]]\nname = \"a:b\"", "f:2: channel.namespaces[0].name is \"a:b\""),
            (
                "[[channel.namespaces]]\nname = \"aa\"\n[[channel.namespaces]]\nname = \"aa\"",
                "f:4: channel.namespaces[1].name is \"aa\", as of another one",
            ),
            (
                "[channel]\nnamespace_boundary = \"\"\nnamespaces = [{name = \"aa\"}]",
                "f:2: channel.namespace_boundary",
            ),
            (
                "[channel.without_namespace]\nhistory_size = 1",
                "f:2: channel.without_namespace.history_size is 1 and",
            ),
            (
                "[channel.without_namespace]\nhistory_ttl = \"1s\"",
                "f:1: channel.without_namespace.history_size is 0",
            ),
            (
                "[channel.without_namespace]\nforce_recovery = true",
                "f:2: channel.without_namespace.force_recovery needs",
            ),
            (
                "[[channel.namespaces]]\nname = \"aa\"\nforce_positioning = true",
                "f:3: channel.namespaces[0].force_positioning needs a history",
            ),
            (
                "[channel]\nhistory_meta_ttl = \"1h\"\n[channel.without_namespace]\nhistory_size = 1\nhistory_ttl = \"2h\"",
                "f:5: channel.without_namespace.history_ttl is 2h and history_meta_ttl 1h",
            ),
            (
                "[channel.without_namespace]\nauto_cache_recover = true",
                "f:2: channel.without_namespace.auto_cache",
            ),
            (
                "[channel.without_namespace]\nchannel_regex = \"[\"",
                "f:2: channel.without_namespace.channel_regex is \"[\", no",
            ),
            (
                "[client.subscribe_to_user_personal_channel]\nenabled = true\npersonal_channel_namespace = \"aa\"",
                "f:3: client.subscribe_to_user_personal_channel.personal_channel_namespace is \"aa\", and no",
            ),
            (
                "[client.subscribe_to_user_personal_channel]\nenabled = true\nsingle_connection = true",
                "f:3: client.subscribe_to_user_personal_channel.single_connection needs the presence",
            ),
            // Backends.
            (
                "[client.proxy.connect]\nenabled = true",
                "f:1: client.proxy.connect.endpoint is \"\"; write a URL",
            ),
            (
                "[client.proxy.refresh]\nenabled = true\nendpoint = \"grpc://a\"",
                "f:3: client.proxy.refresh.endpoint",
            ),
            (
                "[client.proxy.connect]\nenabled = true\nendpoint = \"https://a/b\"\ntimeout = \"0s\"",
                "f:4: client.proxy.connect.timeout is 0s",
            ),
            (
                "[channel]\n[channel.without_namespace]\nsubscribe_proxy_enabled = true",
                "f:1: channel.proxy.subscribe.endpoint is \"\"",
            ),
            (
                "[[channel.namespaces]]\nname = \"aa\"\npublish_proxy_name = \"there\"",
                "f:3: channel.namespaces[0].publish_proxy_name is \"there\", and no [[proxies]] has that name",
            ),
            ("[rpc.without_namespace]\nproxy_enabled = true", "f:1: rpc.proxy.endpoint is \"\""),
            (
                "[[rpc.namespaces]]\nname = \"aa\"\nproxy_name = \"x\"",
                "f:3: rpc.namespaces[0].proxy_name is \"x\"",
            ),
            ("[[proxies]]\nname = \"aa\"", "f:1: proxies[0].endpoint is \"\""),
            (
                "[[proxies]]\nname = \"default\"\nendpoint = \"http://a\"",
                "f:2: proxies[0].name is \"default\"",
            ),
            (
                "[[proxies]]\nname = \"aa\"\nendpoint = \"http://a\"\n[[proxies.http.status_to_code_transforms]]\nstatus_code = 404",
                "f:4: proxies[0].http.status_to_code_transforms[0].to_error.code or to_disconnect.code must be given",
            ),
        ] {
            let error = check("f", text).unwrap_err().to_string();
            assert!(error.starts_with(says) && error.lines().count() == 1, "{text}\n{error}");
        }
    }

    #[test]
    fn what_can_be_is_not_complained_of() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
        for text in [
            "",
            "[client]\nallowed_origins = [\"*\", \"https://example.com:8443\"]",
            "[client]\nping_interval = \"0s\"",
            "[client]\npong_timeout = \"0s\"",
            "[admin]\nenabled = true\npassword = \"a\"",
            "[admin]\nsession_ttl = \"0s\"",
            &format!("[client.token]\ned25519_public_key = \"\"\"{pem}\"\"\""),
            "[client.token]\nissuer_regex = \"(?P<tenant>a|b)\"\njwks_public_endpoint = \"https://{{tenant}}.example.com/\"",
            "[[channel.namespaces]]\nname = \"a-_.9\"\nhistory_size = 1\nhistory_ttl = \"1s\"\nforce_recovery = true",
            // What is not asked need not be there.
            "[channel.without_namespace]\nsubscribe_proxy_name = \"default\"",
            &format!("[rpc.without_namespace]\nproxy_enabled = true\n[rpc.proxy]\n{PROXY}"),
            &format!(
                "[channel.without_namespace]\npublish_proxy_enabled = true\npublish_proxy_name = \"bb\"\n\
                 [[proxies]]\nname = \"bb\"\n{PROXY}\
                 [[proxies.http.status_to_code_transforms]]\nstatus_code = 404\nto_error = {{code = 404, message = \"no\"}}"
            ),
        ] {
            assert!(check("f", text).is_ok(), "{text}\n{:?}", check("f", text));
        }
    }
}
