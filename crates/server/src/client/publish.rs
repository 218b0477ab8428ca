//! `antiphon pub`: publishes through the server API.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::api::Api;
use super::{block_on, input};
use crate::cli::PubArgs;

#[derive(Serialize)]
struct Request<'a> {
    channel: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skip_history: bool,
}

/// Where a publication lies; 0 and nothing in a channel without history.
#[derive(Serialize, Deserialize)]
struct Published {
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    epoch: String,
}

/// Publishes what the command line or standard input says, and prints where each publication lies.
///
/// # Errors
/// At the first publication that the server does not take.
pub(crate) fn run(args: &PubArgs) -> Result<(), String> {
    block_on(async {
        let mut publisher = Publisher::new(args)?;
        let Some(data) = &args.data else { return publisher.publish_lines().await };
        let published = publisher.publish(data, args.idempotency_key.clone()).await?;
        publisher.print(&published).map(|_| ())
    })
}

struct Publisher<'a> {
    args: &'a PubArgs,
    tags: BTreeMap<String, String>,
    api: Api,
}

impl<'a> Publisher<'a> {
    fn new(args: &'a PubArgs) -> Result<Self, String> {
        Ok(Self { args, tags: args.tags.iter().cloned().collect(), api: Api::of(&args.server)? })
    }

    /// Publishes each line that is not empty.
    async fn publish_lines(&mut self) -> Result<(), String> {
        let mut lines = input::lines();
        let mut number = 0_u64;
        while let Some(line) = lines.recv().await {
            number += 1;
            let line = line.map_err(|e| format!("standard input: {e}"))?;
            let text = str::from_utf8(line.trim_ascii_end())
                .map_err(|_| format!("line {number} of standard input is not UTF-8, which JSON needs"))?;
            if text.is_empty() {
                continue;
            }
            let key = self.args.idempotency_key.as_ref().map(|key| format!("{key}-{number}"));
            let published = self.publish(text, key).await.map_err(|e| format!("line {number}: {e}"))?;
            if !self.print(&published)? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn publish(&mut self, text: &str, idempotency_key: Option<String>) -> Result<Published, String> {
        let data = json(text).map_err(|e| e.to_string())?;
        let PubArgs { channel, skip_history, .. } = self.args;
        let request =
            Request { channel, data: &data, tags: &self.tags, idempotency_key, skip_history: *skip_history };
        let body = serde_json::to_vec(&request).map_err(|e| e.to_string())?;
        self.api.call("publish", body).await.map_err(|e| format!("{channel}: {e}"))
    }

    /// Prints where a publication lies, and says whether anybody still reads that.
    fn print(&self, published: &Published) -> Result<bool, String> {
        let line = serde_json::to_string(published).map_err(|e| e.to_string())?;
        match writeln!(io::stdout(), "{line}") {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
            written => Ok(written.is_ok()),
        }
    }
}

/// A JSON value as it stands; other text as a JSON string.
fn json(text: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).or_else(|_| to_raw_value(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_becomes_a_string() {
        for (text, value) in [
            (r#"{"a": 1.50}"#, r#"{"a": 1.50}"#),
            ("12", "12"),
            ("null", "null"),
            ("\"hi\"", "\"hi\""),
            ("hi \"you\"", r#""hi \"you\"""#),
            ("{\"a\":", r#""{\"a\":""#),
            ("", r#""""#),
        ] {
            assert_eq!(json(text).unwrap().get(), value);
        }
    }
}
