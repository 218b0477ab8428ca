//! The name of a channel in the path of a request.

/// The channel that a path segment names: percent-decoded (RFC 3986 §2.1), not empty, at most `limit` bytes, without control characters.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn parse(segment: &str, limit: usize) -> Result<String, String> {
    let name = decode(segment).ok_or_else(|| {
        format!("the channel {segment:?} is not percent-encoded UTF-8; write % as %25 and other bytes as %XX")
    })?;
    if name.is_empty() {
        return Err("the path names no channel; ask for /raw/CHANNEL".into());
    }
    if name.len() > limit {
        return Err(format!("the channel's name has {} bytes; at most {limit} are allowed", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err("the channel's name has control characters; use printable ones".into());
    }
    Ok(name)
}

/// The first value of a parameter in a query.
pub(crate) fn query(query: Option<&str>, name: &str) -> Option<String> {
    queries(query, name).next()
}

/// The values of a parameter in a query (URL Standard, §5.1: `+` is a space). What is not percent-encoded UTF-8 is passed over.
pub(super) fn queries<'q>(query: Option<&'q str>, name: &'q str) -> impl Iterator<Item = String> + use<'q> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let values = pairs.filter(move |(key, _)| decode(key).as_deref() == Some(name)).map(|(_, value)| value);
    values.filter_map(|value| decode(&value.replace('+', " ")))
}

/// Percent-decoded UTF-8 (RFC 3986 §2.1).
pub(crate) fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(digits[0])? * 16 + digit(digits[1])?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_bounded() {
        for (segment, name) in [
            ("lobby", Some("lobby")),
            ("a%2Fb%20c", Some("a/b c")),
            ("%C3%A9", Some("é")),
            ("a+b", Some("a+b")),
            ("12345678", Some("12345678")),
            ("123456789", None),
            ("", None),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
            ("a%00", None),
            ("a%0a", None),
        ] {
            assert_eq!(parse(segment, 8).ok().as_deref(), name, "{segment}");
        }
    }
}
