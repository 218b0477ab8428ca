//! Whose tokens are taken, and for whom.

use std::collections::BTreeMap;

use regex::Regex;

use super::claims::Registered;
use super::{TokenError, TokenOptions};

/// What the named groups of the patterns matched.
pub(super) type Groups = BTreeMap<String, String>;

/// Which issuer and which audience a token must have.
#[derive(Debug)]
pub(super) struct Policy {
    issuer: Rule,
    audience: Rule,
}

impl Policy {
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(options: &TokenOptions) -> Result<Self, String> {
        Ok(Self {
            issuer: Rule::new("issuer", &options.issuer, &options.issuer_regex)?,
            audience: Rule::new("audience", &options.audience, &options.audience_regex)?,
        })
    }

    /// Whether a token with such claims may be taken at all, and what its issuer and audience were found to be made of.
    pub(super) fn admit(&self, claims: &Registered) -> Result<Groups, TokenError> {
        let mut groups = Groups::new();
        if !self.issuer.takes(&claims.iss, &mut groups) {
            return Err(TokenError::Invalid(format!(
                "the token's issuer {:?} is not one that is taken",
                claims.iss
            )));
        }
        let audience_taken = matches!(self.audience, Rule::Any)
            || claims.aud.iter().any(|audience| self.audience.takes(audience, &mut groups));
        if !audience_taken {
            let audiences: Vec<_> = claims.aud.iter().collect();
            return Err(TokenError::Invalid(format!("none of the token's audiences {audiences:?} is taken")));
        }
        Ok(groups)
    }
}

#[derive(Debug)]
enum Rule {
    Any,
    Exact(String),
    Pattern(Regex),
}

impl Rule {
    fn new(name: &str, exact: &str, pattern: &str) -> Result<Self, String> {
        match (exact, pattern) {
            ("", "") => Ok(Self::Any),
            (_, "") => Ok(Self::Exact(exact.into())),
            ("", _) => {
                let invalid = |error| format!("{name}_regex {pattern:?} is no regular expression: {error}");
                Regex::new(pattern).map_err(invalid)?;
                // What matches in part only is somebody else: `https://id.example.com` is also a part of
                // `https://evil.example/?https://id.example.com`.
                Ok(Self::Pattern(Regex::new(&format!("^(?:{pattern})$")).map_err(invalid)?))
            }
            _ => Err(format!("{name} and {name}_regex are both set: leave one of them out")),
        }
    }

    fn takes(&self, value: &str, groups: &mut Groups) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => value == exact,
            Self::Pattern(pattern) => {
                let Some(captures) = pattern.captures(value) else { return false };
                let named = pattern.capture_names().flatten();
                groups.extend(
                    named.filter_map(|name| Some((name.into(), captures.name(name)?.as_str().into()))),
                );
                true
            }
        }
    }
}
