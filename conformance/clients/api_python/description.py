"""What is written about the server API: the server's own description, and the page in the documentation. Both have to be true."""

import json
import re
import shlex
from pathlib import Path

import cent
import requests
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from rig import HERE, KEY, PATIENCE, connected

CONTRACT = {
    "publish", "broadcast", "subscribe", "unsubscribe", "disconnect", "refresh", "presence", "presence_stats", "history",
    "history_remove", "channels", "info", "batch", "revoke_token", "invalidate_user_tokens",
}

# Requests of every kind; each and its response must be as described.
EXCHANGES = [
    ("publish", {"channel": "kept:described", "data": {"a": 1}, "tags": {"a": "b"}, "version": 1, "version_epoch": "e"}),
    ("publish", {"channel": "plain", "b64data": "AA==", "data": None, "skip_history": True, "delta": True}),
    ("publish", {"channel": "none:x", "data": 1}),
    ("broadcast", {"channels": ["kept:described", "none:x"], "data": 1, "idempotency_key": "k"}),
    ("broadcast", {"pattern": "*", "data": 1}),
    ("subscribe", {"user": "nobody", "channel": "plain", "expire_at": 4102444800, "override": {"presence": {"value": True}}}),
    ("unsubscribe", {"user": "nobody", "channel": "plain"}),
    ("disconnect", {"user": "nobody", "whitelist": ["x"], "disconnect": {"code": 4000, "reason": "r"}}),
    ("refresh", {"user": "nobody", "expire_at": 4102444800, "info": {}}),
    ("presence", {"channel": "kept:described"}),
    ("presence_stats", {"channel": "kept:described"}),
    ("history", {"channel": "kept:described", "limit": -1, "since": {"offset": 0, "epoch": ""}}),
    ("history_remove", {"channel": "kept:described"}),
    ("channels", {"pattern": "*"}),
    ("info", {}),
    ("revoke_token", {"uid": "x", "expire_at": 4102444800}),
    ("invalidate_user_tokens", {"user": "nobody", "issued_before": 1, "expire_at": 4102444800}),
    ("batch", {"commands": [{"info": {}}, {"history": {"channel": "plain"}}], "parallel": True}),
]


def closed(schema):
    """The schema with no more fields than it names, to find those that are not described."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


async def the_description_is_true(server, _api):
    response = requests.get(f"{server.api}/openapi.json", timeout=PATIENCE)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    document = response.json()
    OpenAPIV31SpecValidator(document).validate()
    assert {Path(path).name for path in document["paths"]} == CONTRACT
    components = closed(document["components"])

    def check(value, schema, what):
        schema = {**closed(schema), "components": components}
        errors = list(Draft202012Validator(schema).iter_errors(value))
        assert not errors, f"{what} {json.dumps(value)}: {errors[0].message}"

    for method, body in EXCHANGES:
        post = document["paths"][f"/api/{method}"]["post"]
        check(body, post["requestBody"]["content"]["application/json"]["schema"], f"request of {method}")
        answer = server.post(f"/{method}", body, key=KEY)
        assert answer.status_code == 200, (method, answer.text)
        check(answer.json(), post["responses"]["200"]["content"]["application/json"]["schema"], f"reply to {method}")
    assert {method for method, _ in EXCHANGES} == CONTRACT


EXAMPLE = re.compile(r"```sh\n(?:export [^\n]*\n)?(curl [^\n]*)\n```\n```json\n(.*?)```", re.DOTALL)


def shape(value):
    """What a reply is made of, without the values."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    if not isinstance(value, dict):
        return type(value).__name__
    # Where names are ids or channels, they are values.
    named = {name: shape(item) for name, item in value.items() if name not in ("presence", "channels")}
    maps = {name: [shape(item) for item in value[name].values()] for name in ("presence", "channels") if name in value}
    return {**named, **maps}


async def the_page_is_true(server, api):
    page = (HERE.parents[2] / "docs/src/api.md").read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert headings == CONTRACT and len(examples) > len(CONTRACT), (headings ^ CONTRACT, len(examples))
    async with connected(server, "ann", info={"name": "Ann"}) as ann:
        api.subscribe(cent.SubscribeRequest(user="ann", channel="chat:1", info={"seat": 2}))
        await ann.push("subscribe")
        for command, expected in examples:
            words = shlex.split(command)
            path = next(word for word in words if word.startswith("$API")).removeprefix("$API")
            answer = server.post(path, words[words.index("-d") + 1])
            assert answer.status_code == 200, (command, answer.text)
            assert shape(answer.json()) == shape(json.loads(expected)), (command, answer.text)
