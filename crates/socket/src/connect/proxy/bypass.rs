//! The hosts that no proxy stands before: `NO_PROXY`.

use std::net::IpAddr;

use crate::connect::host::{Authority, Host};

/// A list of hosts, separated by commas or spaces. An entry is
///
/// * `*`: every host;
/// * a name, with or without `.` or `*.` before it: this host and all below it;
/// * an address, or a network such as `10.0.0.0/8` or `fd00::/8`: hosts that the URL names by address. Names are not looked up for it;
/// * and `:port` behind a name or an address, to mean this port alone.
///
/// Entries that are none of these cover nothing.
pub(super) struct Bypass<'a>(&'a str);

impl<'a> Bypass<'a> {
    pub(super) fn new(list: &'a str) -> Self {
        Self(list)
    }

    pub(super) fn covers(&self, host: &Host, port: u16) -> bool {
        let entries = self.0.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        entries.into_iter().any(|entry| covers(entry, host, port))
    }
}

fn covers(entry: &str, host: &Host, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, length)) = entry.split_once('/') {
        let (Ok(network), Ok(length), Host::Address(address)) = (network.parse(), length.parse(), host)
        else {
            return false;
        };
        return in_network(*address, network, length);
    }
    let entry = entry.strip_prefix('*').unwrap_or(entry);
    let entry = entry.strip_prefix('.').unwrap_or(entry);
    // An IPv6 address may stand without brackets where no port follows.
    let (listed, listed_port) = match entry.parse::<IpAddr>() {
        Ok(address) => (Host::Address(address), None),
        Err(_) => match Authority::parse(entry) {
            Ok(Authority { credentials: None, host, port }) => (host, port),
            _ => return false,
        },
    };
    if listed_port.is_some_and(|listed| listed != port) {
        return false;
    }
    match (host, &listed) {
        (Host::Name(name), Host::Name(listed)) => {
            let [name, listed] = [name, listed].map(|name| name.strip_suffix('.').unwrap_or(name));
            name.strip_suffix(listed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        (Host::Address(address), Host::Address(listed)) => address == listed,
        _ => false,
    }
}

fn in_network(address: IpAddr, network: IpAddr, length: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}
