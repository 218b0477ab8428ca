use serde_json::Value;

use crate::api::methods::METHODS;
use crate::api::open_api::document;

/// Every reference in it.
fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_method_is_described() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let mut names: Vec<_> = METHODS.iter().map(|entry| entry.name).chain(["batch"]).collect();
    for name in &names {
        let post = &document["paths"][format!("/api/{name}")]["post"];
        assert_eq!(post["operationId"], *name);
        assert!(post["summary"].as_str().is_some_and(|text| text.len() > 10 && text != *name), "{post:#}");
    }
    names.sort_unstable();
    assert_eq!(paths.len(), names.len());
    let schemas = &document["components"]["schemas"];
    for list in ["Command", "Reply"] {
        let properties = schemas[list]["properties"].as_object().unwrap();
        assert!(METHODS.iter().all(|entry| properties.contains_key(entry.name)), "{list}");
    }
}

#[test]
fn references_lead_somewhere() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn required_and_optional_fields_are_told_apart() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (schema, required) in [
        ("PublishRequest", &["channel"][..]),
        ("BroadcastRequest", &[]),
        ("HistoryRequest", &["channel"]),
        ("HistoryResult", &["epoch", "offset", "publications"]),
        ("PublishResult", &[]),
        ("Error", &["code", "detail", "message"]),
    ] {
        let mut names: Vec<_> =
            schemas[schema]["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, required, "{schema}");
    }
    let channel = &schemas["PublishRequest"]["properties"]["channel"];
    assert_eq!(channel["type"], "string", "{channel}");
}
