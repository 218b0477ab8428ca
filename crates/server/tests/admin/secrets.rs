//! The settings in force, and what they do not tell.

use serde_json::{Value, json};

use crate::rig::{TOKEN, file, told};
use crate::support::{Server, antiphon, run};

/// Stands in every secret.
const HIDDEN: &str = "5ec4e7";

fn find<'a>(config: &'a Value, key: &str) -> &'a Value {
    let settings = config["settings"].as_array().unwrap();
    settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key}"))
}

#[test]
fn no_secret_is_told() {
    let proxy = format!(
        "endpoint = \"http://127.0.0.1:1/hook?key={HIDDEN}\"\n\
         http = {{ static_headers = {{ Authorization = \"Bearer {HIDDEN}\" }} }}\n"
    );
    let text = format!(
        "[admin]\nenabled = true\npassword = \"{HIDDEN}\"\ntoken = \"{TOKEN}\"\n\
         [client.token]\nhmac_secret_key = \"{HIDDEN}\"\nhmac_previous_secret_key = \"{HIDDEN}\"\njwks_public_endpoint = \"https://a:{HIDDEN}@127.0.0.1:1/keys\"\n\
         [client.subscription_token]\nhmac_secret_key = \"{HIDDEN}\"\nhmac_previous_secret_key = \"{HIDDEN}\"\n\
         [client.proxy.connect]\n{proxy}[client.proxy.refresh]\n{proxy}\
         [channel.proxy.subscribe]\n{proxy}[channel.proxy.publish]\n{proxy}[channel.proxy.sub_refresh]\n{proxy}\
         [rpc.proxy]\n{proxy}[[proxies]]\nname = \"one\"\n{proxy}\
         [events]\nendpoint = \"http://127.0.0.1:1/events?{HIDDEN}\"\nsecret = \"{HIDDEN}\"\n\
         [opentelemetry]\nendpoint = \"http://a:{HIDDEN}@127.0.0.1:1\"\n"
    );
    let path = file("secrets.toml", &text);
    let mut command = antiphon();
    command.env("ANTIPHON_HTTP_API__KEY", HIDDEN);
    let server = Server::spawn(command.args(["serve", "--listen", "127.0.0.1:0", "--config", &path]));
    let config = told(&server, "config");
    let said = config.to_string();
    assert!(!said.contains(HIDDEN) && !said.contains(TOKEN), "{said}");
    // As many are set as were planted, and more is said of them than nothing.
    assert_eq!(said.matches("\"value\":\"(set)\"").count(), 15, "{said}");
    for (key, value, origin, secret) in [
        ("admin.token", json!("(set)"), "file", true),
        ("http_api.key", json!("(set)"), "environment", true),
        ("rpc.proxy.endpoint", json!("http://127.0.0.1:1/hook?(set)"), "file", false),
        ("opentelemetry.endpoint", json!("http://(set)@127.0.0.1:1"), "file", false),
        ("proxies[0].http.static_headers", json!("(set)"), "file", true),
        ("proxies[0].name", json!("one"), "file", false),
        ("http.listen", json!(["127.0.0.1:0"]), "flag", false),
        ("websocket.compression", json!(false), "default", false),
        ("tls.key", json!(""), "default", false),
    ] {
        let setting = find(&config, key);
        let found =
            (&setting["value"], setting["origin"].as_str().unwrap(), setting["secret"].as_bool().unwrap());
        assert_eq!(found, (&value, origin, secret), "{key}");
        assert!(setting["doc"].as_str().is_some_and(|doc| !doc.is_empty()), "{key}");
    }
    assert_eq!((&config["file"], &config["development"]), (&json!(path), &json!(false)));
    for route in ["stats", "nodes", "channels"] {
        assert!(!told(&server, route).to_string().contains(HIDDEN), "{route}");
    }
}

#[test]
fn a_secret_of_a_wrong_type_is_not_printed() {
    let path =
        file("wrong.toml", &format!("[admin]\npassword = [\"{HIDDEN}\"]\ntoken = {{ a = \"{HIDDEN}\" }}\n"));
    let (status, said, told) = run(antiphon().args(["config", "check", &path]), b"");
    assert_eq!(status, Some(1));
    assert!(told.contains("admin.password") && !format!("{said}{told}").contains(HIDDEN), "{said}{told}");
}
