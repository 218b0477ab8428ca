//! Which channels a token is for.

use super::ChannelClaim;

impl ChannelClaim {
    /// What the `channel` and the `channels` of a token come to: the first is a name, each of the others a name or, with a `*`
    /// in it, a pattern.
    pub(super) fn new(channel: String, channels: Vec<String>) -> Self {
        let (patterns, mut names): (Vec<_>, Vec<_>) = channels.into_iter().partition(|name| is_pattern(name));
        names.push(channel);
        names.retain(|name| !name.is_empty());
        Self { names, patterns }
    }

    /// Whether it is for no channel.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Whether it is for `channel`, where `boundary` ends the namespace in the names of channels.
    pub fn matches(&self, channel: &str, boundary: &str) -> bool {
        self.names.iter().any(|name| name == channel)
            || self.patterns.iter().any(|pattern| covers(pattern, channel, boundary))
    }
}

pub(super) fn is_pattern(name: &str) -> bool {
    name.contains('*')
}

/// Whether `pattern` matches the whole of `channel`. It keeps the set of places that the pattern so far can have come to, so the
/// time is bounded by the product of the lengths, whatever the pattern.
fn covers(pattern: &str, channel: &str, boundary: &str) -> bool {
    let mut places = vec![false; channel.len() + 1];
    places[0] = true;
    let mut rest = pattern;
    while !rest.is_empty() {
        let literal = &rest[..rest.find('*').unwrap_or(rest.len())];
        if literal.is_empty() {
            let after = rest.trim_start_matches('*');
            let over = if rest.len() - after.len() > 1 { "" } else { boundary };
            wildcard(&mut places, channel, over);
            rest = after;
        } else {
            for end in (0..=channel.len()).rev() {
                places[end] = end
                    .checked_sub(literal.len())
                    .is_some_and(|at| places[at] && &channel.as_bytes()[at..end] == literal.as_bytes());
            }
            rest = &rest[literal.len()..];
        }
        if !places.contains(&true) {
            return false;
        }
    }
    places[channel.len()]
}

/// Moves each place on over any characters among which is no `boundary`; over any at all where that is empty.
fn wildcard(places: &mut [bool], channel: &str, boundary: &str) {
    // Of the places before, the nearest has the least in between.
    let mut nearest = None;
    let mut last_boundary = None;
    for (at, place) in places.iter_mut().enumerate() {
        if *place {
            nearest = Some(at);
        }
        if !boundary.is_empty() && channel.as_bytes()[..at].ends_with(boundary.as_bytes()) {
            last_boundary = Some(at - boundary.len());
        }
        *place = nearest.is_some_and(|from| last_boundary.is_none_or(|begin| begin < from));
    }
}
