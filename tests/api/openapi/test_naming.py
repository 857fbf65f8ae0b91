"""Tests names, examples and the reference, on which generated clients and readers rely."""

import json
import re
from typing import Any

import jsonschema_rs
import requests
from starlette.routing import Route

from api.app import create_app
from api.openapi import document, examples, naming, operations

CONTENT = json.loads(document.DOCUMENT)
OPERATIONS = {operation["operationId"]: operation for _, _, operation in naming.each_operation(CONTENT["paths"])}


def test_every_operation_has_a_name_of_its_own_and_a_tag() -> None:
    """A generated client has a function for each operation. Two with the same name would collide."""
    app = create_app({"DATABASE_URL": "postgresql://app@127.0.0.1:1/x", "API_TOKEN": "made-up-token-of-the-tests"})
    served = {
        f"{method.lower()} {route.path}"
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/api/")
        for method in (route.methods or set()) - {"HEAD"}
    }
    tags = {name for name, _ in operations.TAGS}

    assert set(operations.OPERATIONS) == served
    assert {tag for _, tag in operations.OPERATIONS.values()} == tags
    assert len(OPERATIONS) == len(served)


def test_bodies_and_answers_have_names_and_nothing_is_named_in_vain() -> None:
    bodies = [
        content["application/json"]["schema"]
        for operation in OPERATIONS.values()
        for part in (operation.get("requestBody", {}), operation["responses"].get("200", {}))
        if "application/json" in (content := part.get("content", {}))
    ]
    used = set(re.findall(r'"#/components/schemas/(\w+)"', document.DOCUMENT))

    assert [body for body in bodies if "$ref" not in body] == []
    assert used == set(CONTENT["components"]["schemas"])


def test_examples_are_valid() -> None:
    """An example that the API would neither return nor accept misleads people who copy it."""

    def problems(schema: dict[str, Any], example: object) -> list[str]:
        whole = {**schema, "components": CONTENT["components"]}
        return [error.message for error in jsonschema_rs.validator_for(whole).iter_errors(example)]

    found: dict[str, list[str]] = {}
    count = 0
    for name, operation in OPERATIONS.items():
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (part.get("content", {}).get("application/json", {}) for part in parts):
            if "example" in content:
                count += 1
                found[name] = found.get(name, []) + problems(content["schema"], content["example"])

    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert count >= len(examples.REQUESTS) + len(examples.RESPONSES)
    assert {*examples.REQUESTS, *examples.RESPONSES} <= set(OPERATIONS)


def test_the_reference_is_a_page_without_scripts_that_shows_every_call(api_url: str) -> None:
    """People read the reference before they have a token."""
    page = requests.get(f"{api_url}/api/docs", timeout=30)
    policy = page.headers["content-security-policy"]

    assert page.headers["content-type"].startswith("text/html")
    assert "script" not in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert [name for name in OPERATIONS if f'id="{name}"' not in page.text] == []
    assert set(re.findall(r'href="#([^"]+)"', page.text)) <= set(re.findall(r'id="([^"]+)"', page.text))
    assert "{phone}" in page.text
    assert "Your order is on its way" in page.text
