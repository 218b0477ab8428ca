//! Filters over the tags of publications: a client asks for some of a channel's publications only.

mod decimal;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::protocol::nullable;
use decimal::Decimal;

/// How deep the nodes of a filter may lie in one another.
const MAX_DEPTH: usize = 16;
/// How many nodes a filter may have.
const MAX_NODES: usize = 256;
/// How many values all comparisons of a filter may have together: each is looked at for each publication.
const MAX_VALUES: usize = 1024;
/// How long all keys and values of a filter may be together, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A node of a filter: a comparison, or `and`, `or`, `not` over other nodes.
///
/// Each comparison has a key, and `val`, `vals` (`in` and `nin`) or neither (`ex` and `nex`). What it says of a tag that is
/// missing: `neq`, `nin` and `nex` hold, the others do not; to `in` and `nin` it is as good as an empty one. `lt`, `lte`, `gt`
/// and `gte` compare decimal numbers (`-12.50`, whatever their length; no exponent), exactly; where either side is none, they
/// do not hold.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterNode {
    /// Empty in a comparison, else `and`, `or` or `not`.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The tag that is compared.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `eq`, `neq`, `in`, `nin`, `ex`, `nex`, `sw`, `ew`, `ct`, `lt`, `lte`, `gt` or `gte`.
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub cmp: String,
    /// What it is compared with.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub val: String,
    /// What it is compared with by `in` and `nin`.
    #[prost(string, repeated, tag = "5")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub vals: Vec<String>,
    /// The nodes under `and`, `or` and `not`.
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Self>,
}

impl FilterNode {
    /// Whether it may be used: each node has what it needs and nothing else that counts, and the filter is not too large.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn validate(&self) -> Result<(), String> {
        Sizes::default().add(self, 1)
    }

    /// Whether publications with these tags are let through.
    ///
    /// Of a filter that is not valid an answer comes as well, but it means nothing.
    pub fn matches(&self, tags: &BTreeMap<String, String>) -> bool {
        match self.op.as_str() {
            "" => self.holds(tags.get(&self.key).map(String::as_str)),
            "and" => self.nodes.iter().all(|node| node.matches(tags)),
            "or" => self.nodes.iter().any(|node| node.matches(tags)),
            "not" => self.nodes.first().is_some_and(|node| !node.matches(tags)),
            _ => false,
        }
    }

    /// How many nodes there are, with itself.
    pub(crate) fn count(&self) -> usize {
        1 + self.nodes.iter().map(Self::count).sum::<usize>()
    }

    /// Whether the comparison holds for a tag.
    fn holds(&self, tag: Option<&str>) -> bool {
        let value = self.val.as_str();
        let listed = || self.vals.iter().any(|value| value == tag.unwrap_or_default());
        let number = |holds: fn(Ordering) -> bool| {
            let pair = tag.and_then(Decimal::parse).zip(Decimal::parse(value));
            pair.is_some_and(|(tag, value)| holds(tag.cmp(&value)))
        };
        match self.cmp.as_str() {
            "eq" => tag == Some(value),
            "neq" => tag != Some(value),
            "in" => listed(),
            "nin" => !listed(),
            "ex" => tag.is_some(),
            "nex" => tag.is_none(),
            "sw" => tag.is_some_and(|tag| tag.starts_with(value)),
            "ew" => tag.is_some_and(|tag| tag.ends_with(value)),
            "ct" => tag.is_some_and(|tag| tag.contains(value)),
            "lt" => number(Ordering::is_lt),
            "lte" => number(Ordering::is_le),
            "gt" => number(Ordering::is_gt),
            "gte" => number(Ordering::is_ge),
            _ => false,
        }
    }

    /// # Errors
    /// A sentence that says which part is missing, or is one too many.
    fn validate_shape(&self) -> Result<(), String> {
        let Self { op, key, cmp, val, vals, nodes } = self;
        match (op.as_str(), nodes.len()) {
            ("", 0) => {}
            ("and" | "or", 1..) | ("not", 1) => return Ok(()),
            ("", _) => return Err("a comparison has nodes: set op to and, or or not".into()),
            ("and" | "or", _) => return Err(format!("{op} has no nodes, and needs one at least")),
            ("not", count) => return Err(format!("not has {count} nodes, and needs one")),
            _ => {
                return Err(format!(
                    "op is {:?}, and can be and, or, not, or empty in a comparison",
                    start(op)
                ));
            }
        }
        let fault = match cmp.as_str() {
            "ex" | "nex" => (!val.is_empty() || !vals.is_empty()).then_some("takes no val and no vals"),
            "in" | "nin" if vals.is_empty() || !val.is_empty() => Some("needs vals, and takes no val"),
            "eq" | "neq" | "sw" | "ew" | "ct" | "lt" | "lte" | "gt" | "gte"
                if val.is_empty() || !vals.is_empty() =>
            {
                Some("needs val, and takes no vals")
            }
            "in" | "nin" | "eq" | "neq" | "sw" | "ew" | "ct" | "lt" | "lte" | "gt" | "gte" => {
                key.is_empty().then_some("has no key: name the tag to compare")
            }
            _ => {
                let known = "eq, neq, in, nin, ex, nex, sw, ew, ct, lt, lte, gt or gte";
                return Err(format!("cmp is {:?}, and can be {known}", start(cmp)));
            }
        };
        fault.map_or(Ok(()), |fault| Err(format!("{cmp} {fault}")))
    }
}

/// As much of a client's text as a message shows.
fn start(text: &str) -> &str {
    &text[..text.floor_char_boundary(32)]
}

/// How large a filter is.
#[derive(Default)]
struct Sizes {
    nodes: usize,
    values: usize,
    bytes: usize,
}

impl Sizes {
    /// Adds a node and what lies under it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with one of them, or too much of all.
    fn add(&mut self, node: &FilterNode, depth: usize) -> Result<(), String> {
        self.nodes += 1;
        self.values += node.vals.len();
        self.bytes += [&node.op, &node.key, &node.cmp, &node.val].map(String::len).iter().sum::<usize>();
        self.bytes += node.vals.iter().map(String::len).sum::<usize>();
        for (what, size, limit) in [
            ("nodes within one another", depth, MAX_DEPTH),
            ("nodes", self.nodes, MAX_NODES),
            ("values", self.values, MAX_VALUES),
            ("bytes of keys and values", self.bytes, MAX_BYTES),
        ] {
            if size > limit {
                return Err(format!(
                    "the filter has more than {limit} {what}: divide the channel, or filter in the client"
                ));
            }
        }
        node.validate_shape()?;
        node.nodes.iter().try_for_each(|node| self.add(node, depth + 1))
    }
}

#[cfg(test)]
mod tests;
