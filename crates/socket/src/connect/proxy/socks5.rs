//! A tunnel through a SOCKS5 proxy (RFC 1928), with a user and a password (RFC 1929) if it wants them.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::ProxyFault;
use crate::connect::host::{Credentials, Host};
use crate::connect::target::Target;

const VERSION: u8 = 5;
/// The version of the negotiation of RFC 1929.
const PASSWORD_VERSION: u8 = 1;

const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;

const CONNECT: u8 = 1;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a tunnel to `target`. Nothing is read beyond the proxy's answers, whose lengths are all known beforehand.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyFault> {
    // RFC 1928 §3: the methods that this side can do.
    let greeting: &[u8] = match credentials {
        None => &[VERSION, 1, NO_AUTHENTICATION],
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
    };
    send(stream, greeting).await?;
    let method = match (receive(stream).await?, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => None,
        ([VERSION, USER_AND_PASSWORD], Some(credentials)) => Some(credentials),
        ([VERSION, NONE_ACCEPTABLE], _) => {
            return Err(ProxyFault::Credentials { wanted: None, sent: credentials.is_some() });
        }
        (answer, _) => return Err(unexpected("choice of a method", &answer)),
    };
    if let Some(credentials) = method {
        send(stream, &password_request(credentials)).await?;
        match receive(stream).await? {
            [PASSWORD_VERSION, 0] => {}
            [PASSWORD_VERSION, _] => return Err(ProxyFault::Credentials { wanted: None, sent: true }),
            answer => return Err(unexpected("answer to user and password", &answer)),
        }
    }

    send(stream, &connect_request(target)).await?;
    match receive(stream).await? {
        [VERSION, 0, 0, kind] => {
            // The address that the proxy speaks from ends the answer. Nobody needs it here.
            let address = match kind {
                IPV4 => 4,
                IPV6 => 16,
                NAME => usize::from(stream.read_u8().await?),
                _ => return Err(unexpected("type of an address", &[kind])),
            };
            let mut rest = [0; 255 + 2];
            stream.read_exact(&mut rest[..address + 2]).await?;
            Ok(())
        }
        [VERSION, code, ..] if code != 0 => Err(ProxyFault::Reply(code)),
        answer => Err(unexpected("answer to the request", &answer)),
    }
}

/// RFC 1929 §2. The lengths were checked when the proxy's URL was read.
fn password_request(credentials: &Credentials) -> Vec<u8> {
    let mut request = vec![PASSWORD_VERSION];
    for part in [credentials.user(), credentials.password()] {
        request.push(part.len() as u8);
        request.extend(part.as_bytes());
    }
    request
}

/// RFC 1928 §4. A name goes as it is, for the proxy to look up; [`Host`] bounds it at 253 bytes.
fn connect_request(target: &Target) -> Vec<u8> {
    let mut request = vec![VERSION, CONNECT, 0];
    match &target.host {
        Host::Address(IpAddr::V4(v4)) => {
            request.push(IPV4);
            request.extend(v4.octets());
        }
        Host::Address(IpAddr::V6(v6)) => {
            request.push(IPV6);
            request.extend(v6.octets());
        }
        Host::Name(name) => {
            request.extend([NAME, name.len() as u8]);
            request.extend(name.as_bytes());
        }
    }
    request.extend(target.port.to_be_bytes());
    request
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), ProxyFault> {
    stream.write_all(bytes).await?;
    Ok(stream.flush().await?)
}

async fn receive<S: AsyncRead + Unpin, const N: usize>(stream: &mut S) -> Result<[u8; N], ProxyFault> {
    let mut answer = [0; N];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn unexpected(what: &str, found: &[u8]) -> ProxyFault {
    ProxyFault::Protocol(format!("its {what} is {found:02x?}, which is not SOCKS5"))
}

/// What a reply code means (RFC 1928 §6).
pub(super) fn sentence(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "its rules do not allow the connection",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the connection was refused",
        6 => "the connection took too long",
        7 => "it does not know CONNECT",
        8 => "it does not know this type of address",
        _ => "a code that RFC 1928 does not know",
    }
}
