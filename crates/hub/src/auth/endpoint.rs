//! Where the keys of an issuer are: a URL with gaps.
//!
//! What fills a gap comes out of a token that nobody has verified yet, since the keys for that are what is looked for. Whoever
//! chooses it freely chooses whose keys are believed, so a gap takes only what the configuration lists.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{Ast, GroupKind};

use super::policy::Groups;
use super::{TokenError, TokenOptions};

/// A URL in which names in double braces stand for what is known by them.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Each gap with the text before it.
    gaps: Vec<(String, String)>,
    tail: String,
}

impl Endpoint {
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(options: &TokenOptions) -> Result<Self, String> {
        let template = &options.jwks_public_endpoint;
        if !template.starts_with("https://") && !template.starts_with("http://") {
            return Err(format!(
                "jwks_public_endpoint {template:?} is no URL that begins with https:// or http://"
            ));
        }
        let mut gaps = Vec::new();
        let mut tail = template.as_str();
        while let Some((text, behind)) = tail.split_once("{{") {
            let (name, rest) = behind.split_once("}}").ok_or_else(|| {
                format!("jwks_public_endpoint {template:?} has {{{{ without }}}} behind it")
            })?;
            lists_values(name, options)?;
            gaps.push((text.into(), name.into()));
            tail = rest;
        }
        Ok(Self { gaps, tail: tail.into() })
    }

    /// The URL with its gaps filled.
    pub(super) fn url(&self, groups: &Groups) -> Result<String, TokenError> {
        let mut url = String::new();
        for (text, name) in &self.gaps {
            let value = groups.get(name).map_or("", String::as_str);
            if !is_plain(value) {
                return Err(TokenError::Invalid(format!(
                    "{value:?} cannot stand for {{{{{name}}}}} in jwks_public_endpoint: \
                     only letters, digits, `.`, `_` and `-` can"
                )));
            }
            url.push_str(text);
            url.push_str(value);
        }
        url.push_str(&self.tail);
        Ok(url)
    }
}

/// Whether a value is what it looks like wherever it stands in a URL; dots alone would lead up in a path.
fn is_plain(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    value.bytes().all(allowed) && value.bytes().any(|byte| byte != b'.')
}

fn lists_values(name: &str, options: &TokenOptions) -> Result<(), String> {
    let mut found = None;
    for (setting, pattern) in
        [("issuer_regex", &options.issuer_regex), ("audience_regex", &options.audience_regex)]
    {
        let ast = Parser::new()
            .parse(pattern)
            .map_err(|error| format!("{setting} {pattern:?} is no regular expression: {error}"))?;
        if let Some(group) = find_group(&ast, name) {
            if let Some(other) = found.replace(setting) {
                return Err(format!(
                    "the group {name:?} stands in {other} and in {setting}: rename one of them"
                ));
            }
            if !is_list(group) {
                return Err(format!(
                    "the group {name:?} of {setting} fills a gap in jwks_public_endpoint and so must list what it \
                     may match, as in (?P<{name}>one|two): with wildcards, a token could choose whose keys it is \
                     checked with"
                ));
            }
        }
    }
    found.map(|_| ()).ok_or_else(|| {
        format!(
            "jwks_public_endpoint has {{{{{name}}}}}, but neither issuer_regex nor audience_regex has a group \
             (?P<{name}>...)"
        )
    })
}

fn find_group<'a>(ast: &'a Ast, name: &str) -> Option<&'a Ast> {
    match ast {
        Ast::Group(group) => match &group.kind {
            GroupKind::CaptureName { name: found, .. } if found.name == name => Some(&group.ast),
            _ => find_group(&group.ast, name),
        },
        Ast::Repetition(repetition) => find_group(&repetition.ast, name),
        Ast::Alternation(alternation) => alternation.asts.iter().find_map(|ast| find_group(ast, name)),
        Ast::Concat(concat) => concat.asts.iter().find_map(|ast| find_group(ast, name)),
        _ => None,
    }
}

/// Whether it matches nothing but the texts that are written in it.
fn is_list(ast: &Ast) -> bool {
    match ast {
        Ast::Empty(_) | Ast::Literal(_) => true,
        Ast::Group(group) => is_list(&group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter().all(is_list),
        Ast::Concat(concat) => concat.asts.iter().all(is_list),
        _ => false,
    }
}
