"""Names operations and their schemas, so that generated clients have meaningful names for functions and types."""

import json
from collections.abc import Iterator
from typing import Any

from api.openapi import examples, operations, spec
from api.openapi.spec import Schema

_JSON = "application/json"
_UNLISTED = ("unlisted", operations.OPERATIONS_TAG)
"""The name and tag of an operation that the table lacks. The tests reject them."""
_INLINE = ("properties", "allOf", "anyOf")
"""A schema with one of these becomes a type in most languages."""


def add_names(paths: Schema, schemas: Schema) -> tuple[Schema, Schema]:
    """Return the paths with ids, tags and examples, and the schemas including those of bodies and responses."""
    # Not `deepcopy`, which preserves sharing between operations.
    paths, schemas = json.loads(json.dumps(paths)), dict(schemas)
    for method, path, operation in each_operation(paths):
        operation_id, tag = operations.OPERATIONS.get(f"{method} {path}", _UNLISTED)
        name = "".join(word.capitalize() for word in operation_id.split("_"))
        operation |= {"operationId": operation_id, "tags": [tag]}
        for parameter in operation.get("parameters", ()):
            if (example := examples.PARAMETERS.get(parameter["name"])) is not None:
                parameter["example"] = example
        for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
            _move(body, "schema", f"{name}{'Request' if media_type == _JSON else 'Form'}", schemas)
            if media_type == _JSON and (example := examples.REQUESTS.get(operation_id)) is not None:
                body["example"] = example
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get(_JSON)
            if status.startswith("2") and content is not None:
                envelope = content["schema"]["properties"]
                _move(envelope, "data", f"{name}Data", schemas)
                _move(content, "schema", f"{name}Response", schemas)
                if (example := examples.RESPONSES.get(operation_id)) is not None:
                    content["example"] = {"success": True, "data": example}
    return paths, schemas


def each_operation(paths: Schema) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, the path and the operation of each operation."""
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield method, path, operation


def _move(holder: Schema, key: str, name: str, schemas: Schema) -> None:
    """Move the schema into `schemas` under the name, and put a reference in its place."""
    schema = holder[key]
    if any(word in schema for word in _INLINE):
        schemas[name] = schema
        holder[key] = spec.ref(name)
