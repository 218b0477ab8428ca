//! The real binary on a free port, and a WebSocket client of a few lines that shares nothing with the engine.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// No answer of a server on this machine takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The binary, as a command to be given arguments.
pub(crate) fn antiphon() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command.env_remove("ANTIPHON_LOG");
    command
}

/// A tool's status, and what it said on standard output and standard error, when it has been given this to read.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> (Option<i32>, String, String) {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A tool that has failed does not read on.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let [said, told] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code(), said, told)
}

/// A running server, which ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// In development mode, with two workers whatever the machine has.
    pub(crate) fn start() -> Self {
        Self::with(&["--workers", "2"])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::spawn(antiphon().args(["serve", "--listen", "127.0.0.1:0"]).args(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_logging(command, Stdio::null())
    }

    /// With its log lines going there.
    pub(crate) fn spawn_logging(command: &mut Command, log: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit_once("://127.0.0.1:").map(|(_, port)| port.parse());
        let Some(Ok(port)) = port else { panic!("the server said {line:?}") };
        Self { child, port }
    }

    /// A WebSocket at a path.
    pub(crate) fn open(&self, path: &str) -> Socket {
        let mut socket = self.request(&handshake(path, ""));
        let head = socket.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        socket
    }

    /// A connection on which `request` has been sent.
    pub(crate) fn request(&self, request: &str) -> Socket {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Socket { stream }
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal, such as `-HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A valid opening handshake, with more header lines.
pub(crate) fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// One end of a connection, on which HTTP or frames pass.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
}

impl Socket {
    /// A response up to and with its empty line.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.bytes(1)[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// All that comes until the end of the stream.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }

    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&frame(opcode, payload)).unwrap();
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// The next frame: its opcode and payload.
    pub(crate) fn receive(&mut self) -> (u8, Vec<u8>) {
        let head = self.bytes(2);
        assert_eq!((head[0] & 0xf0, head[1] & 0x80), (0x80, 0), "whole and unmasked");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.bytes(2).try_into().unwrap())),
            127 => u64::from_be_bytes(self.bytes(8).try_into().unwrap()),
            short => short.into(),
        };
        (head[0] & 0x0f, self.bytes(length.try_into().unwrap()))
    }

    /// The next text message.
    pub(crate) fn hear(&mut self) -> String {
        let (opcode, payload) = self.receive();
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert_eq!(opcode, TEXT, "{text:?}");
        text
    }

    /// The Close frame that comes next, answered, and the end of the stream, which is this end's as well.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        let (opcode, payload) = self.receive();
        assert_eq!(opcode, CLOSE, "{:?}", String::from_utf8_lossy(&payload));
        // The server may have ended the stream already.
        let _ = self.stream.write_all(&frame(CLOSE, payload.get(..2).unwrap_or_default()));
        assert_eq!(self.rest(), "");
        self.stream.shutdown(Shutdown::Both).unwrap();
        let (code, reason) = payload.split_at(2);
        (u16::from_be_bytes(code.try_into().unwrap()), String::from_utf8(reason.to_vec()).unwrap())
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }
}

/// A whole frame of a client.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
