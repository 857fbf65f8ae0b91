"""Builds the parts of the document: JSON Schemas, and parameters, responses and operations of OpenAPI 3.1."""

from collections.abc import Collection
from typing import Any, TypeAlias

from api.http import parameters

Schema: TypeAlias = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
NULLABLE_STRING: Schema = {"type": ["string", "null"]}
NULLABLE_INTEGER: Schema = {"type": ["integer", "null"]}
NULLABLE_BOOLEAN: Schema = {"type": ["boolean", "null"]}
DATE_TIME: Schema = {"type": "string", "format": "date-time"}
NULLABLE_DATE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
NULLABLE_CURSOR: Schema = {"type": ["string", "null"], "description": "Opaque. Null at the end of the list."}
NO_NUL_PATTERN = r"^[^\u0000]*$"
"""PostgreSQL cannot store text with a NUL."""
SHORT_TEXT: Schema = {"type": "string", "maxLength": 512, "pattern": NO_NUL_PATTERN}


def record(optional: Collection[str] = (), /, **properties: Schema) -> Schema:
    """Return an object schema. All properties are required except the optional ones."""
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def enum(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def formatted(format_name: str, description: str, max_length: int = 512) -> Schema:
    """Return a text schema whose syntax JSON Schema cannot express, such as a cursor. `format` names it."""
    return {"type": "string", "format": format_name, "maxLength": max_length, "description": description}


def cursor(list_name: str, description: str = "From a response.") -> Schema:
    return formatted(f"cursor-of-{list_name}", description, 8192)


def query(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def path(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def header(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


LIMIT = query("limit", {"type": "integer", "minimum": 1, "maximum": parameters.MAX_LIMIT})
SESSION = query(
    "session_id", SHORT_TEXT, "A session, together with those of its account. Default: all visible sessions."
)
LABEL = query("label", SHORT_TEXT, "Only chats with this label.")
TIME_RANGE = [
    query(name, formatted("moment", f"ISO 8601 (UTC if it has no offset) or milliseconds, {bound}."))
    for name, bound in (("since", "inclusive"), ("until", "exclusive"))
]


def response(description: str, schema: Schema, **more: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def success(description: str, data: Schema, **more: Schema) -> Schema:
    """Return a success response around `data`."""
    return response(description, record(success={"const": True}, data=data), **more)


def errors(*statuses: int) -> Schema:
    """Return error responses for the statuses of every operation and for these."""
    return {
        str(status): response("Error.", ref("Error")) for status in sorted({400, 401, 403, 429, 431, 503, *statuses})
    }


def links(**operations: tuple[str, str, str]) -> Schema:
    """Return the links of a response to other operations.

    They are given by name, with the operation, its parameter and the path of the value in `data`.
    """
    return {
        name: {
            "operationRef": f"#/paths/{operation.replace('/', '~1', operation.count('/') - 1)}",
            "parameters": {parameter: f"$response.body#/data/{path}"},
        }
        for name, (operation, parameter, path) in operations.items()
    }


def get(summary: str, parameters: list[Schema], data: Schema, *extra_statuses: int, **more: Schema) -> Schema:
    """Return an operation that reads, and that responds with 304 if the client already has the response."""
    not_modified = {"description": "Not modified."}
    responses = {"200": success("Success.", data, **more), "304": not_modified, **errors(*extra_statuses)}
    return {"get": {"summary": summary, "parameters": parameters, "responses": responses}}


def json_body(schema: Schema, *, required: bool = True) -> Schema:
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def post(
    summary: str, parameters: list[Schema], responses: Schema, body: Schema | None = None, *, required: bool = False
) -> Schema:
    """Return an operation that writes. Its JSON body is optional unless `required`."""
    request = {} if body is None else json_body(body, required=required)
    return {"post": {"summary": summary, "parameters": parameters, **request, "responses": responses}}
