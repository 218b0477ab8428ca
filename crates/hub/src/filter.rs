//! Filters over the tags of publications: a client asks for some of a channel's publications only.

use serde::{Deserialize, Serialize};

/// A node of a filter: a comparison, or `and`, `or`, `not` over other nodes.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterNode {
    /// Empty in a comparison, else `and`, `or` or `not`.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The tag that is compared.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `eq`, `neq`, `in`, `nin`, `ex`, `nex`, `sw`, `ew`, `ct`, `lt`, `lte`, `gt` or `gte`.
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cmp: String,
    /// What it is compared with.
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub val: String,
    /// What it is compared with by `in` and `nin`.
    #[prost(string, repeated, tag = "5")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vals: Vec<String>,
    /// The nodes under `and`, `or` and `not`.
    #[prost(message, repeated, tag = "6")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Self>,
}

impl FilterNode {
    pub fn validate(&self) -> Result<(), String> {
        Ok(())
    }
    pub fn matches(&self, tags: &std::collections::BTreeMap<String, String>) -> bool {
        tags.get(&self.key).is_some_and(|v| *v == self.val)
    }
}
