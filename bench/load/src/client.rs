//! As much of Centrifugo's client protocol in JSON as a subscriber and a publisher need.

use anyhow::{Result, bail};

pub(crate) const CONNECT: &[u8] = br#"{"id":1,"connect":{}}"#;
pub(crate) const CONNECT_AND_SUBSCRIBE: &[u8] = br#"{"id":1,"connect":{}}
{"id":2,"subscribe":{"channel":"bench"}}"#;
pub(crate) const CONNECTED: &[u8] = br#""id":1"#;
pub(crate) const SUBSCRIBED: &[u8] = br#""id":2"#;

/// The answer to an empty object, the server's ping.
pub(crate) const PONG: &[u8] = b"{}";

/// Publishes `data`, plain ASCII without quotes, as a JSON string.
pub(crate) fn publish(number: usize, data: &[u8]) -> Vec<u8> {
    let data = String::from_utf8_lossy(data);
    format!(r#"{{"id":{},"publish":{{"channel":"bench","data":"{data}"}}}}"#, number + 10).into_bytes()
}

pub(crate) fn is_ping(body: &[u8]) -> bool {
    body.split(|&byte| byte == b'\n').any(|line| line == b"{}")
}

pub(crate) fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

/// An error in a reply, or a disconnect, ends the run.
pub(crate) fn refuse_errors(body: &[u8]) -> Result<()> {
    if contains(body, br#""error":{"#) || contains(body, br#""disconnect":{"#) {
        bail!("the server answered: {}", String::from_utf8_lossy(body));
    }
    Ok(())
}
