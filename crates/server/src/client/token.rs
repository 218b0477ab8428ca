//! `antiphon token`: signs a JSON Web Token with the configured key.

use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_hub::auth::{self, TokenOptions};
use serde_json::{Value, json};

use super::settings::settings;
use crate::cli::TokenArgs;

/// The token that the command line asks for, on a line.
///
/// # Errors
/// When there is no key to sign with, or the info is no JSON.
pub(crate) fn run(args: &TokenArgs) -> Result<String, String> {
    let config = settings(args.config.as_deref())?;
    // Where subscriptions have no keys of their own, they have those of connections.
    let (section, options) = if !args.channels.is_empty() && config.client.subscription_token.enabled {
        ("client.subscription_token", config.subscription_token())
    } else {
        ("client.token", &config.client.token)
    };
    let mut options = options.clone();
    if let Some(secret) = &args.secret {
        options.hmac_secret_key.clone_from(secret);
    }
    if options.hmac_secret_key.is_empty() {
        return Err(format!(
            "there is no key to sign with: {section}.hmac_secret_key is not set; name a file that sets it with --config, or \
             the key with --secret or ANTIPHON_{}__HMAC_SECRET_KEY",
            section.replace('.', "__").to_ascii_uppercase()
        ));
    }
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock stands before 1970")?.as_secs();
    let claims = claims(args, &options, now)?;
    let token = auth::sign(&options, &claims).map_err(|e| format!("{section}: {e}"))?;
    Ok(token + "\n")
}

/// What the token says: that of a connection, or, with channels, that of subscriptions.
fn claims(args: &TokenArgs, options: &TokenOptions, now: u64) -> Result<Value, String> {
    let user = if options.user_id_claim.is_empty() { "sub" } else { &options.user_id_claim };
    let mut claims = json!({ user: args.user, "iat": now });
    // Any fraction of a second counts as a whole one, so that the token does not expire at once.
    let ttl = args.ttl.0.as_millis().div_ceil(1000);
    if ttl > 0 {
        claims["exp"] = json!(u64::try_from(ttl).unwrap_or(u64::MAX).saturating_add(now));
    }
    if let Some(info) = &args.info {
        claims["info"] =
            serde_json::from_str(info).map_err(|e| format!("--info {info:?} is no JSON: {e}"))?;
    }
    for (claim, value) in [("aud", &options.audience), ("iss", &options.issuer)] {
        if !value.is_empty() {
            claims[claim] = json!(value);
        }
    }
    match &*args.channels {
        [] => {}
        [channel] if !channel.contains('*') => claims["channel"] = json!(channel),
        channels => claims["channels"] = json!(channels),
    }
    if let Some(client) = &args.client {
        claims["client"] = json!(client);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_claims_are_those_of_the_command_line() {
        let bound = TokenOptions {
            audience: "web".into(),
            issuer: "me".into(),
            user_id_claim: "uid".into(),
            ..TokenOptions::default()
        };
        let open = TokenOptions::default();
        for (options, arguments, expected) in [
            (&open, "--user u", json!({ "sub": "u", "iat": 1000, "exp": 4600 })),
            (&open, "--user u --ttl 0s", json!({ "sub": "u", "iat": 1000 })),
            (&open, "--user u --ttl 1ms", json!({ "sub": "u", "iat": 1000, "exp": 1001 })),
            (
                &open,
                "--user= --ttl 5s --info {\"a\":1}",
                json!({ "sub": "", "iat": 1000, "exp": 1005, "info": { "a": 1 } }),
            ),
            (&open, "--user u --ttl 0s --channel a", json!({ "sub": "u", "iat": 1000, "channel": "a" })),
            (
                &open,
                "--user u --ttl 0s --channel a:*",
                json!({ "sub": "u", "iat": 1000, "channels": ["a:*"] }),
            ),
            (
                &open,
                "--user u --ttl 0s --channel a --channel b --client c",
                json!({ "sub": "u", "iat": 1000, "channels": ["a", "b"], "client": "c" }),
            ),
            (&bound, "--user u --ttl 0s", json!({ "uid": "u", "iat": 1000, "aud": "web", "iss": "me" })),
        ] {
            let words = ["antiphon", "token"].into_iter().chain(arguments.split(' '));
            let Command::Token(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("another command")
            };
            assert_eq!(claims(&args, options, 1000).unwrap(), expected, "{arguments}");
        }
    }
}
