//! Who gets in.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::rig::{PASSWORD, TOKEN, ask, bearer, code, file, get, log_in, server, session};
use crate::support::{Server, antiphon, run};

/// Every route of the API that is asked with GET.
const ROUTES: [&str; 7] =
    ["stats", "nodes", "config", "channels", "channels/a", "channels/a/members", "channels/a/history"];

fn files(folder: &Path, at: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{at}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &path, found);
        } else {
            found.push(path);
        }
    }
}

/// The paths of all files that may be in the binary, below `/admin`.
fn assets() -> Vec<String> {
    let mut found = vec!["/index.html".to_owned(), "/assets/index.js".to_owned(), "/none".to_owned()];
    for folder in ["dist", "public"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/apps/inspector").join(folder);
        if folder.is_dir() {
            files(&folder, "", &mut found);
        }
    }
    found.retain(|path| path != "/login.html" && !path.ends_with(".gz"));
    found
}

#[test]
fn nothing_is_to_be_had_without_a_login() {
    let server = server(
        "without",
        "[channel.without_namespace]\npresence = true\nhistory_size = 1\nhistory_ttl = \"1m\"\n",
    );
    let api = ROUTES.iter().map(|route| format!("/admin/api/{route}"));
    let files = assets().into_iter().map(|path| format!("/admin{path}"));
    let more = ["/admin/api/", "/admin/api/none", "/admin/api", "/admin/x/../api/stats"].map(str::to_owned);
    for path in api.chain(files).chain(more) {
        for headers in ["", "Cookie: antiphon_admin=1.2.3\r\n", "Authorization: Basic YTpi\r\n"] {
            let answer = ask(&server, "GET", &path, headers, "");
            assert_eq!((answer.status, &*code(&answer)), (401, "unauthorized"), "{path} {headers}");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{path}");
        }
    }
    for route in ["channels/a/publish", "channels/a", "none"] {
        let answer = ask(&server, "POST", &format!("/admin/api/{route}"), "", "{\"data\": 1}");
        assert_eq!(answer.status, 401, "{route}");
    }
    let page = ask(&server, "GET", "/admin/", "", "");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<form") && !page.body.contains("/admin/assets/"), "{}", page.body);
    assert_eq!(ask(&server, "GET", "/admin/login.html", "", "").body, page.body);
    // And it is all there for who has one.
    let session = session(&server);
    for route in ROUTES {
        let answer = ask(&server, "GET", &format!("/admin/api/{route}"), &session, "");
        assert_eq!(answer.status, 200, "{route}: {answer:?}");
    }
    assert_ne!(ask(&server, "GET", "/admin/", &session, "").body, page.body);
    assert_eq!(ask(&server, "GET", "/admin/none", &session, "").status, 404);
}

#[test]
fn browsers_are_told_to_keep_it_to_themselves() {
    let server = server("headers", "");
    let session = session(&server);
    for (path, headers) in [
        ("/admin", ""),
        ("/admin/", ""),
        ("/admin/", &*session),
        ("/admin/api/stats", ""),
        ("/admin/api/stats", &session),
        ("/admin/login.html", ""),
        ("/admin/none", &session),
    ] {
        let answer = ask(&server, "GET", path, headers, "");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(
            !policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe"),
            "{path}: {policy}"
        );
    }
    let redirect = ask(&server, "GET", "/admin", "", "");
    assert_eq!((redirect.status, redirect.header("location")), (308, "/admin/"));
}

#[test]
fn a_session_is_opened_by_what_is_right_and_ends_with_the_logout() {
    let server = server("login", "");
    for (body, status) in [
        ("{\"password\": \"wrong\"}", 401),
        ("{\"password\": \"\"}", 401),
        (&format!("{{\"password\": \"{TOKEN}\"}}"), 401),
        (&format!("{{\"token\": \"{PASSWORD}\"}}"), 401),
        ("{}", 400),
        ("", 400),
        ("{\"password\": 5318008}", 400),
        (&format!("{{\"password\": \"{PASSWORD}\", \"token\": \"{TOKEN}\"}}"), 400),
        (&format!("{{\"password\": \"{}\"}}", "a".repeat(5000)), 413),
    ] {
        let answer = log_in(&server, body);
        assert_eq!((answer.status, answer.header("set-cookie")), (status, ""), "{body}");
        assert!(!answer.body.contains("5318008"), "{answer:?}");
    }
    assert_eq!(log_in(&server, &format!("{{\"token\": \"{TOKEN}\"}}")).status, 204);
    let answer = log_in(&server, &format!("{{\"password\": \"{PASSWORD}\"}}"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("antiphon_admin=") && !cookie.contains("Secure"), "{cookie}");
    for attribute in ["; Path=/admin", "; Max-Age=43200", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let line = format!("Cookie: other=1; {}\r\n", answer.cookie());
    assert_eq!(ask(&server, "GET", "/admin/api/nodes", &line, "").status, 200);
    // One letter of it changed.
    let forged = line.replace("=1; antiphon_admin=1", "=1; antiphon_admin=2");
    assert_ne!(forged, line);
    assert_eq!(ask(&server, "GET", "/admin/api/nodes", &forged, "").status, 401);

    let own = format!("{line}Origin: http://localhost\r\n");
    let answer = ask(&server, "POST", "/admin/logout", &own, "");
    assert_eq!(answer.status, 204);
    assert!(
        answer.header("set-cookie").starts_with("antiphon_admin=; Path=/admin; Max-Age=0;"),
        "{answer:?}"
    );
    assert_eq!(
        ask(&server, "GET", "/admin/api/nodes", &line, "").status,
        401,
        "the cookie is of no use any more"
    );
    assert_eq!(ask(&server, "POST", "/admin/logout", "", "").status, 204, "there is nothing to end");

    for (method, path, allowed) in
        [("GET", "/admin/login", "POST"), ("GET", "/admin/logout", "POST"), ("POST", "/admin/", "GET, HEAD")]
    {
        let answer = ask(&server, method, path, "", "");
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
    }
}

#[test]
fn over_https_the_cookie_is_for_https_alone() {
    let server = server("secure", "");
    let body = format!("{{\"password\": \"{PASSWORD}\"}}");
    let answer = ask(&server, "POST", "/admin/login", "Origin: https://localhost\r\n", &body);
    assert!(answer.header("set-cookie").ends_with("; Secure"), "{answer:?}");
}

#[test]
fn who_guesses_has_to_wait() {
    let server = server("guess", "");
    let session = session(&server);
    for attempt in 0..5 {
        assert_eq!(log_in(&server, &format!("{{\"password\": \"{attempt}\"}}")).status, 401);
        assert_eq!(ask(&server, "GET", "/admin/api/nodes", &bearer("wrong"), "").status, 401);
    }
    let answer = log_in(&server, &format!("{{\"password\": \"{PASSWORD}\"}}"));
    assert_eq!((answer.status, &*code(&answer)), (429, "too_many_requests"));
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{answer:?}");
    assert_eq!(get(&server, "nodes").status, 429);
    // Who is in already is not shut out.
    assert_eq!(ask(&server, "GET", "/admin/api/nodes", &session, "").status, 200);
}

#[test]
fn pages_of_others_give_no_orders() {
    let server = server("pages", "[channel.without_namespace]\n");
    let session = session(&server);
    let publish = |headers: &str| {
        let answer = ask(&server, "POST", "/admin/api/channels/a/publish", headers, "{\"data\": 1}");
        if answer.status == 403 {
            assert_eq!(code(&answer), "forbidden");
        }
        answer.status
    };
    for (headers, status) in [
        ("", 403),
        ("Origin: http://localhost\r\n", 200),
        ("Origin: http://example.com\r\n", 403),
        ("Origin: http://localhost:81\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Origin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: http://example.com\r\nSec-Fetch-Site: same-origin\r\n", 403),
    ] {
        assert_eq!(publish(&format!("{session}{headers}")), status, "{headers}");
    }
    // A token is shown by who means it.
    assert_eq!(publish(&bearer(TOKEN)), 200);
    let foreign = "Origin: http://example.com\r\n";
    let body = format!("{{\"password\": \"{PASSWORD}\"}}");
    assert_eq!(ask(&server, "POST", "/admin/login", foreign, &body).status, 403);
    assert_eq!(ask(&server, "POST", "/admin/logout", &format!("{session}{foreign}"), "").status, 403);
    assert_eq!(ask(&server, "GET", "/admin/api/nodes", &session, "").status, 200, "it has not been ended");
}

#[test]
fn a_session_ends_in_time_and_with_its_password() {
    let short = server("short", "session_ttl = \"1ms\"\n");
    let over = session(&short);
    patiently(|| ask(&short, "GET", "/admin/api/nodes", &over, "").status == 401);

    let changed = server("changed", "");
    let before = session(&changed);
    assert_eq!(ask(&changed, "GET", "/admin/api/nodes", &before, "").status, 200);
    file("changed.toml", "[admin]\nenabled = true\npassword = \"another\"\n");
    changed.signal("-HUP");
    patiently(|| ask(&changed, "GET", "/admin/api/nodes", &before, "").status == 401);
    assert_eq!(get(&changed, "nodes").status, 401, "there is no token any more");
    assert_eq!(log_in(&changed, "{\"password\": \"another\"}").status, 204);
    file("changed.toml", "");
    changed.signal("-HUP");
    patiently(|| ask(&changed, "GET", "/admin/", "", "").status == 404);
}

/// Waits until it is so.
fn patiently(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "it stays as it was");
    }
}

#[test]
fn outside_of_development_it_must_be_switched_on() {
    let off = file("off.toml", "[admin]\npassword = \"a\"\ntoken = \"b\"\n");
    let server = Server::with(&["--config", &off]);
    for path in ["/admin", "/admin/", "/admin/login.html", "/admin/api/stats"] {
        assert_eq!(ask(&server, "GET", path, &bearer("b"), "").status, 404, "{path}");
    }
    let on = file("on.toml", "[admin]\nenabled = true\n");
    let mut command = antiphon();
    let (status, _, told) = run(command.args(["serve", "--listen", "127.0.0.1:0", "--config", &on]), b"");
    assert_eq!(status, Some(1));
    assert!(told.contains("admin.enabled is true, and nobody could log in: set admin.password"), "{told}");
}

#[test]
fn the_link_of_development_mode_opens_it() {
    let log = format!("{}/admin-banner.log", env!("CARGO_TARGET_TMPDIR"));
    let mut command = antiphon();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn_logging(&mut command, Stdio::from(File::create(&log).unwrap()));
    let mut token = String::new();
    patiently(|| {
        let banner = fs::read_to_string(&log).unwrap();
        let link = format!("http://127.0.0.1:{}/admin/#token=", server.port);
        let found = banner.split_once(&link).and_then(|(_, rest)| rest.split_once('\n'));
        token = found.map_or(String::new(), |(token, _)| token.to_owned());
        found.is_some()
    });
    assert!(token.len() >= 22, "{token}");
    assert_eq!(log_in(&server, &format!("{{\"token\": \"{token}\"}}")).status, 204);
    assert_eq!(ask(&server, "GET", "/admin/api/nodes", &bearer(&token), "").status, 200);
    assert_eq!(log_in(&server, "{\"token\": \"\"}").status, 401);
    assert_eq!(log_in(&server, "{\"password\": \"\"}").status, 401);
    // What can be logged in with is set: nothing is made, and nothing of it is printed.
    let mut command = antiphon();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("ANTIPHON_ADMIN__PASSWORD", "hidden");
    let server = Server::spawn_logging(&mut command, Stdio::from(File::create(&log).unwrap()));
    patiently(|| fs::read_to_string(&log).unwrap().contains("Ctrl-C"));
    let banner = fs::read_to_string(&log).unwrap();
    assert!(
        banner.contains("/admin/\n") && !banner.contains("token=") && !banner.contains("hidden"),
        "{banner}"
    );
    assert_eq!(log_in(&server, "{\"password\": \"hidden\"}").status, 204);
}
