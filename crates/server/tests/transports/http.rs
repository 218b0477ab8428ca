//! A client of HTTP/1.1 of a few lines: requests, whole responses, and responses without end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// No answer of a server on this machine takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Http(BufReader<TcpStream>);

/// A response; without its body where that has no end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| &**value);
        let first = found.next();
        assert_eq!(found.next(), None, "{name} stands there twice");
        first
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Http {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// One request on a connection of its own.
    pub(crate) fn once(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Self::connect(port).ask(method, path, headers, body)
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send(method, path, headers, body);
        self.answer(method == "HEAD")
    }

    /// Sends a request of HTTP/1.1. `host` is among the headers where it is not `localhost`.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request.push_str("host: localhost\r\n");
        }
        if !body.is_empty() || method == "POST" {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.write(&[request.as_bytes(), body].concat());
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The head of a response.
    pub(crate) fn head(&mut self) -> Answer {
        let first = self.line();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no response begins with {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// A response with the whole of its body.
    pub(crate) fn answer(&mut self, is_head: bool) -> Answer {
        let mut answer = self.head();
        if is_head || answer.status == 204 || answer.status == 101 {
            return answer;
        }
        match answer.header("content-length").map(|length| length.parse().unwrap()) {
            Some(length) => {
                answer.body = vec![0; length];
                self.0.read_exact(&mut answer.body).unwrap();
            }
            None => answer.body = self.rest(),
        }
        answer
    }

    /// What comes next of a body that ends with the connection; nothing at its end.
    pub(crate) fn piece(&mut self) -> Option<Vec<u8>> {
        let piece = self.0.fill_buf().unwrap().to_vec();
        self.0.consume(piece.len());
        (!piece.is_empty()).then_some(piece)
    }

    /// All that comes until the end of the stream.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// Percent-encodes all but letters and digits.
pub(crate) fn percent(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
