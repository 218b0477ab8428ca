//! The description of the server API, made of its types.

use std::sync::OnceLock;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::methods::{Entry, METHODS};
use super::reply;
use super::results::ErrorResult;

/// The response to `GET /api/openapi.json`.
pub(crate) fn open_api() -> Response<Full<Bytes>> {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| format!("{:#}\n", document()).into());
    reply::json(StatusCode::OK, text.clone())
}

/// OpenAPI 3.1.
pub(super) fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let requests = &mut settings.clone().into_generator();
    let results = &mut settings.for_serialize().into_generator();
    let error = results.subschema_for::<ErrorResult>().to_value();

    let mut paths = Map::new();
    let mut commands = Map::new();
    let mut replies = Map::from_iter([("error".to_owned(), error.clone())]);
    for entry in &METHODS {
        let request = (entry.request)(requests).to_value();
        let result = (entry.result)(results).to_value();
        commands.insert(entry.name.to_owned(), request.clone());
        replies.insert(entry.name.to_owned(), result.clone());
        let reply = json!({
            "type": "object",
            "description": "An error or a result.",
            "properties": { "error": error, "result": result },
        });
        let path = post(entry.name, &summary(entry, requests), &request, &reply);
        paths.insert(format!("/api/{}", entry.name), path);
    }
    let batch = "Carry out many commands, one after the other or in parallel.";
    paths.insert(
        "/api/batch".to_owned(),
        post("batch", batch, &reference("BatchRequest"), &reference("BatchResponse")),
    );

    let mut schemas = requests.take_definitions(true);
    schemas.extend(results.take_definitions(true));
    schemas.extend(batches(&commands, &replies));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Antiphon server API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Publish, look into channels and order clients about. Paths, fields and codes are those of Centrifugo's API.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }, { "authorization": [] }, { "query": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "authorization": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`apikey KEY`",
                },
                "query": { "type": "apiKey", "in": "query", "name": "api_key" },
            },
        },
    })
}

/// What a batch is made of: in each command one method, and in each reply that or an error.
fn batches(commands: &Map<String, Value>, replies: &Map<String, Value>) -> Map<String, Value> {
    let schemas = json!({
        "BatchRequest": {
            "type": "object",
            "properties": {
                "commands": { "type": "array", "maxItems": super::COMMANDS, "items": reference("Command") },
                "parallel": { "type": ["boolean", "null"], "description": "Do not keep their order." },
            },
        },
        "Command": {
            "type": "object",
            "description": "One method with its parameters.",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": commands,
        },
        "BatchResponse": {
            "type": "object",
            "properties": { "replies": { "type": "array", "items": reference("Reply") } },
            "required": ["replies"],
        },
        "Reply": {
            "type": "object",
            "description": "What a command came to, under the name of its method, or an error.",
            "properties": replies,
        },
    });
    let Value::Object(schemas) = schemas else { return Map::new() };
    schemas
}

fn post(name: &str, summary: &str, request: &Value, reply: &Value) -> Value {
    let text = |description: &str| json!({ "description": description, "content": { "text/plain": {} } });
    json!({
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": { "required": true, "content": { "application/json": { "schema": request } } },
            "responses": {
                "200": {
                    "description": "The command was read; this came of it.",
                    "content": { "application/json": { "schema": reply } },
                },
                "400": text("The body is no such request; the text says where."),
                "401": text("The key is missing or wrong."),
                "403": text("No key is needed here, so no web page of another origin is let in."),
                "413": text("The body has more than 16 MiB."),
            },
        },
    })
}

/// What the type of the parameters says of itself.
fn summary(entry: &Entry, generator: &mut SchemaGenerator) -> String {
    let schema = (entry.request)(generator);
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let definition = name.and_then(|name| generator.definitions().get(name));
    definition.and_then(|schema| schema["description"].as_str()).unwrap_or(entry.name).to_owned()
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
