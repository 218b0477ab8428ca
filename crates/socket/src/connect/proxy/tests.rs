use super::*;

fn target(uri: &str) -> Target {
    Target::of(&uri.parse().unwrap()).unwrap()
}

fn route(uri: &str, variables: &[(&str, &str)]) -> Option<String> {
    let read = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
    environment::route(&target(uri), &read).unwrap().map(|proxy| proxy.to_string())
}

#[test]
fn a_proxy_is_read_from_its_url() {
    for (text, shown) in [
        ("http://p.test", "http://p.test:80"),
        ("HTTP://P.test:3128/", "http://p.test:3128"),
        ("p.test:3128", "http://p.test:3128"),
        ("192.0.2.1", "http://192.0.2.1:80"),
        ("https://p.test", "https://p.test:443"),
        ("socks5://p.test", "socks5://p.test:1080"),
        ("socks5h://[::1]:9050", "socks5://[::1]:9050"),
        ("http://us%40er:se%3Acret@p.test", "http://***@p.test:80"),
    ] {
        assert_eq!(text.parse::<Proxy>().unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn a_password_never_shows() {
    let proxy: Proxy = "http://user:secret@p.test".parse().unwrap();
    assert!(!format!("{proxy} {proxy:?}").contains("secret"));
    let long = format!("socks5://u:secret{}@p", "x".repeat(255));
    for text in [
        "ftp://user:secret@p.test",
        "http://user:sec/secret@p.test",
        "http://user:secret%zz@p.test",
        "http://user:secret@p.test:0",
        "http://user:secret@p test",
        "http://user:secret@bücher.test",
        "http://user:secret@",
        "user:secret@p.test/x",
        &long,
    ] {
        let error = text.parse::<Proxy>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{text}: {error}");
    }
}

#[test]
fn what_is_no_proxy_is_refused_with_its_rule() {
    for (text, error) in [
        ("socks4://p.test", ProxyUrlError::Scheme("socks4".into())),
        ("http://p.test/path", ProxyUrlError::Path),
        ("http://", ProxyUrlError::Host(HostRule::HostEmpty)),
        ("http://a b", ProxyUrlError::Host(HostRule::Character)),
        ("http://p.test\r\nX: y", ProxyUrlError::Host(HostRule::Character)),
        ("http://bücher.test", ProxyUrlError::Host(HostRule::HostNotAscii)),
        ("http://a,b", ProxyUrlError::Host(HostRule::HostName)),
        ("http://a..b", ProxyUrlError::Host(HostRule::HostName)),
        ("http://127.1", ProxyUrlError::Host(HostRule::Ipv4)),
        ("http://0x7f000001", ProxyUrlError::Host(HostRule::Ipv4)),
        ("http://[fe80::1%25eth0]", ProxyUrlError::Host(HostRule::Ipv6)),
        ("http://[::1", ProxyUrlError::Host(HostRule::Ipv6)),
        ("http://p.test:65536", ProxyUrlError::Host(HostRule::Port)),
        ("http://p.test:+1", ProxyUrlError::Host(HostRule::Port)),
        ("http://u%0d:p@p.test", ProxyUrlError::Host(HostRule::Userinfo)),
        ("socks5://user@p.test", ProxyUrlError::SocksCredentials),
    ] {
        assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
    }
}

#[test]
fn the_environment_names_a_proxy_per_scheme() {
    let all = [("https_proxy", "http://s"), ("http_proxy", "http://p"), ("all_proxy", "http://a")];
    assert_eq!(route("wss://x.test", &all).unwrap(), "http://s:80");
    assert_eq!(route("ws://x.test", &all).unwrap(), "http://p:80");
    let fallback = [("ALL_PROXY", "socks5://a")];
    assert_eq!(route("wss://x.test", &fallback).unwrap(), "socks5://a:1080");
    assert_eq!(route("ws://x.test", &fallback).unwrap(), "socks5://a:1080");
    let both = [("https_proxy", "low"), ("HTTPS_PROXY", "high")];
    assert_eq!(route("wss://x.test", &both).unwrap(), "http://low:80");
    assert_eq!(
        route("wss://x.test", &[("https_proxy", " "), ("HTTPS_PROXY", "high")]).unwrap(),
        "http://high:80"
    );
    assert_eq!(route("wss://x.test", &[]), None);
    assert_eq!(route("ws://x.test", &[("https_proxy", "s")]), None);
}

#[test]
fn httpoxy_http_proxy_in_capitals_is_not_read() {
    assert_eq!(route("ws://x.test", &[("HTTP_PROXY", "http://evil")]), None);
}

#[test]
fn a_variable_that_names_no_proxy_is_an_error_and_not_a_direct_connection() {
    let read = |name: &str| (name == "https_proxy").then(|| "gopher://u:secret@p".to_owned());
    let error = environment::route(&target("wss://x.test"), &read).unwrap_err().to_string();
    assert!(
        error.contains("https_proxy") && error.contains("gopher") && !error.contains("secret"),
        "{error}"
    );
}

#[test]
fn loopback_does_not_go_through_the_environments_proxy() {
    let all = [("all_proxy", "http://a")];
    for uri in ["ws://localhost", "wss://app.localhost", "ws://127.0.0.9:1", "wss://[::1]"] {
        assert_eq!(route(uri, &all), None, "{uri}");
    }
    assert!(route("ws://notlocalhost", &all).is_some());
}

#[test]
fn no_proxy_lists_names_suffixes_ports_addresses_and_networks() {
    for (list, uri, covered) in [
        ("*", "wss://x.test", true),
        ("x.test", "wss://x.test", true),
        ("x.test", "wss://X.TEST.", true),
        ("x.test", "wss://a.b.x.test", true),
        (".x.test", "wss://a.x.test", true),
        (".x.test", "wss://x.test", true),
        ("*.x.test", "wss://a.x.test", true),
        ("x.test", "wss://evilx.test", false),
        ("x.test", "wss://x.test.evil", false),
        ("x.test:443", "wss://x.test", true),
        ("x.test:8443", "wss://x.test", false),
        ("x.test:8443", "wss://x.test:8443", true),
        ("a.test, b.test\tc.test", "wss://c.test", true),
        ("a.test,,b.test", "wss://b.test", true),
        ("192.0.2.1", "wss://192.0.2.1", true),
        ("192.0.2.1:80", "wss://192.0.2.1", false),
        ("10.0.0.0/8", "wss://10.255.0.1", true),
        ("10.0.0.0/8", "wss://11.0.0.1", false),
        ("10.0.0.0/0", "wss://192.0.2.1", true),
        ("10.0.0.1/32", "wss://10.0.0.2", false),
        ("10.0.0.0/33", "wss://10.0.0.1", false),
        ("10.0.0.0/x", "wss://10.0.0.1", false),
        ("10.0.0.0/8", "wss://10.test", false),
        ("fd00::/8", "wss://[fd12::1]", true),
        ("fd00::/8", "wss://[fe80::1]", false),
        ("::/0", "wss://192.0.2.1", false),
        ("2001:db8::1", "wss://[2001:db8::1]", true),
        ("[2001:db8::1]:443", "wss://[2001:db8:0::1]", true),
        ("http://x.test", "wss://x.test", false),
        ("", "wss://x.test", false),
        (" , ", "wss://x.test", false),
    ] {
        let routed = route(uri, &[("https_proxy", "p"), ("no_proxy", list)]);
        assert_eq!(routed.is_none(), covered, "{list:?} and {uri}");
    }
    assert_eq!(route("wss://x.test", &[("https_proxy", "p"), ("NO_PROXY", "x.test")]), None);
}
