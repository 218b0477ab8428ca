//! `antiphon token`: what it prints, and that the server takes it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::Value;
use support::{Server, antiphon, run};

/// A configuration file for one test, which goes with it.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-token-{name}-{}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn token(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = antiphon();
    command.env_remove("ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY");
    run(command.args(["token", "--user", "u"]).args(arguments).envs(variables.iter().copied()), b"")
}

/// The claims of a token that is signed with this.
fn claims(token: &str, secret: &str) -> Value {
    let (signed, signature) = token.trim_end().rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let header: Value = serde_json::from_slice(&decoded(header)).unwrap();
    assert_eq!((&header["alg"], &header["typ"]), (&"HS256".into(), &"JWT".into()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &decoded(signature)).expect("signed with this secret");
    serde_json::from_slice(&decoded(claims)).unwrap()
}

#[test]
fn the_key_is_the_configured_one() {
    const KEY: &str = "ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY";
    let one = File::new("one", "[client.token]\nhmac_secret_key = \"file\"\nissuer = \"me\"\n");
    let two = File::new(
        "two",
        "[client.token]\nhmac_secret_key = \"file\"\n[client.subscription_token]\nenabled = true\nhmac_secret_key = \"subs\"\n",
    );
    let (one, two) = (one.name(), two.name());
    for (arguments, variables, secret) in [
        (&["--secret", "flag", "--config", one][..], &[(KEY, "variable")][..], "flag"),
        (&["--config", one], &[(KEY, "variable")], "variable"),
        (&[], &[(KEY, "variable")], "variable"),
        (&["--config", one], &[], "file"),
        (&["--config", one, "--channel", "a"], &[], "file"),
        (&["--config", two], &[], "file"),
        (&["--config", two, "--channel", "a"], &[], "subs"),
    ] {
        let (status, said, told) = token(arguments, variables);
        assert_eq!((status, &*told), (Some(0), ""), "{arguments:?}");
        let claims = claims(&said, secret);
        assert_eq!(claims["sub"], "u");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
        assert_eq!(claims["iss"] == "me", arguments.contains(&one), "{claims}");
    }
}

#[test]
fn what_cannot_be_signed_is_told_and_is_the_status() {
    let empty = File::new("empty", "[client.subscription_token]\nenabled = true\n");
    let keys = File::new(
        "keys",
        "[client.token]\nhmac_secret_key = \"s\"\njwks_public_endpoint = \"https://example.com/keys\"\n",
    );
    for (arguments, says) in [
        (&[][..], "client.token.hmac_secret_key is not set"),
        (
            &["--config", empty.name(), "--channel", "a"],
            "ANTIPHON_CLIENT__SUBSCRIPTION_TOKEN__HMAC_SECRET_KEY",
        ),
        (&["--config", keys.name()], "client.token: "),
        (&["--config", "/nowhere/a.toml"], "/nowhere/a.toml"),
        (&["--secret", "s", "--info", "{"], "--info"),
    ] {
        let (status, said, told) = token(arguments, &[]);
        assert_eq!((status, &*said), (Some(1), ""), "{arguments:?}: {told}");
        assert!(told.starts_with("antiphon: ") && told.contains(says), "{arguments:?}: {told}");
    }
    assert_eq!(token(&["--client", "c"], &[]).0, Some(2), "a client is for subscriptions");
}

#[test]
fn the_server_takes_what_was_signed_for_it() {
    let file = File::new(
        "server",
        "[client.token]\nhmac_secret_key = \"s\"\n\
         [channel.without_namespace]\nallow_publish_for_subscriber = true\n",
    );
    let server = Server::with(&["--workers", "1", "--config", file.name()]);
    let url = format!("ws://127.0.0.1:{}/connection/websocket", server.port);
    let signed = |arguments: &[&str]| {
        let (status, said, told) = token(&[&["--config", file.name()], arguments].concat(), &[]);
        assert_eq!(status, Some(0), "{told}");
        said.trim_end().to_owned()
    };
    let connection = signed(&["--info", "{\"name\":\"Ada\"}"]);
    const TAKEN: &str = r#"{"id":2,"subscribe":"#;
    for (channel, subscription, answer) in [
        ("private", signed(&["--channel", "private"]), TAKEN),
        ("other", signed(&["--channel", "private", "--channel", "other"]), TAKEN),
        ("room1", signed(&["--channel", "room*"]), TAKEN),
        ("other", signed(&["--channel", "private"]), "invalid token"),
        ("private", String::new(), "permission denied"),
    ] {
        let mut socket = server.open("/connection/websocket");
        socket.say(&format!(r#"{{"id":1,"connect":{{"token":"{connection}"}}}}"#));
        assert!(socket.hear().contains("\"client\":"));
        socket.say(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}","token":"{subscription}"}}}}"#));
        let (_, got) = socket.receive();
        let got = String::from_utf8_lossy(&got);
        assert!(got.contains(answer), "{channel}: {got}");
    }
    // The tool shows them as well.
    let arguments = ["sub", "private", "--url", &url, "--token", &connection];
    let (status, _, told) = run(antiphon().args(arguments), b"");
    assert_eq!((status, told.contains("private: error 103")), (Some(1), true), "{told}");
}
