"""Builds the pieces of the document: JSON Schemas, and parameters, responses and operations of OpenAPI 3.1."""

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
NULLABLE_CURSOR: Schema = {"type": ["string", "null"], "description": "Opaque; null at the end of the list."}
NO_NUL_PATTERN = r"^[^\u0000]*$"
"""PostgreSQL cannot store text with a NUL."""


def object_schema(properties: Schema, *optional: str) -> Schema:
    """An object whose properties are required, except for the optional ones."""
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def array_schema(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def enum_schema(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def schema_ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def formatted_string(format_name: str, description: str, max_length: int = 512) -> Schema:
    """Text such as a cursor, whose syntax a JSON Schema cannot express: `format` names it."""
    return {"type": "string", "format": format_name, "maxLength": max_length, "description": description}


def cursor_schema(list_name: str, description: str = "From a response.") -> Schema:
    return formatted_string(f"cursor-of-{list_name}", description, 8192)


def query_parameter(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def path_parameter(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def header_parameter(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


LIMIT_PARAMETER = query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": parameters.MAX_LIMIT})
SESSION_PARAMETER = query_parameter(
    "session_id",
    {"type": "string", "maxLength": 512, "pattern": NO_NUL_PATTERN},
    "One session; without it, all that the token may see.",
)
TIME_RANGE_PARAMETERS = [
    query_parameter(name, formatted_string("moment", f"ISO 8601 (without an offset: UTC) or milliseconds, {bound}."))
    for name, bound in (("since", "inclusive"), ("until", "exclusive"))
]


def json_response(description: str, schema: Schema, **more: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def success_response(description: str, data: Schema, **more: Schema) -> Schema:
    """The success envelope around `data`."""
    return json_response(description, object_schema({"success": {"const": True}, "data": data}), **more)


def error_responses(*statuses: int) -> Schema:
    """The error envelope, for the statuses of every operation and for these."""
    error = json_response("Error.", schema_ref("Error"))
    return {str(status): error for status in sorted({400, 401, 403, 429, 503, *statuses})}


def links(**operations: tuple[str, str, str]) -> Schema:
    """Links of a response to other operations: by name, the operation, its parameter and the value's path in `data`."""
    return {
        name: {
            "operationRef": f"#/paths/{operation.replace('/', '~1', operation.count('/') - 1)}",
            "parameters": {parameter: f"$response.body#/data/{path}"},
        }
        for name, (operation, parameter, path) in operations.items()
    }


def get_operation(summary: str, parameters: list[Schema], data: Schema, *extra_statuses: int, **more: Schema) -> Schema:
    """An operation that reads, and responds with 304 to a client that has the response already."""
    responses = {
        "200": success_response("Success.", data, **more),
        "304": {"description": "Not modified."},
        **error_responses(*extra_statuses),
    }
    return {"summary": summary, "parameters": parameters, "responses": responses}


def post_operation(summary: str, parameters: list[Schema], body: Schema | None, responses: Schema) -> Schema:
    """An operation that writes; its JSON body is optional."""
    content = {"application/json": {"schema": body}}
    request = {} if body is None else {"requestBody": {"required": False, "content": content}}
    return {"summary": summary, "parameters": parameters, **request, "responses": responses}
