"""The words in which the API describes itself: pieces of JSON Schema and of OpenAPI 3.1."""

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
NULLABLE_STRING: Schema = {"type": ["string", "null"]}
NULLABLE_INTEGER: Schema = {"type": ["integer", "null"]}
NULLABLE_BOOLEAN: Schema = {"type": ["boolean", "null"]}
DATE_TIME: Schema = {"type": "string", "format": "date-time"}
NULLABLE_DATE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
NO_NUL_PATTERN = r"^[^\u0000]*$"
"""PostgreSQL keeps no text with a NUL in it."""


def object_schema(properties: Schema, *optional: str) -> Schema:
    """An object that has all its properties, but for optional ones."""
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def array_schema(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def schema_ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def formatted_string(format_name: str, description: str, max_length: int = 512) -> Schema:
    """A text that only we can tell from others like it, such as a cursor: `format` names the kind."""
    return {"type": "string", "format": format_name, "maxLength": max_length, "description": description}


def query_parameter(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    """A query parameter."""
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def path_parameter(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def success_response(description: str, data: Schema, **more: Schema) -> Schema:
    """A success, around its data."""
    schema = object_schema({"success": {"const": True}, "data": data})
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def error_responses(*statuses: int) -> Schema:
    """Answers in the error envelope: those that any call may give, and these."""
    refused = {"description": "Refused.", "content": {"application/json": {"schema": schema_ref("Error")}}}
    return {str(status): refused for status in sorted({400, 401, 403, 429, 503, *statuses})}


def get_operation(
    summary: str, parameters: list[Schema], data: Schema, *extra_statuses: int, links: Schema | None = None
) -> Schema:
    """A call that reads, and answers 304 to whoever has the answer already."""
    answer = success_response("The answer.", data, **({} if links is None else {"links": links}))
    answers = {"200": answer, "304": {"description": "Still the same."}, **error_responses(*extra_statuses)}
    return {"summary": summary, "parameters": parameters, "responses": answers}


def post_operation(summary: str, parameters: list[Schema], body: Schema | None, responses: Schema) -> Schema:
    """A call that changes something; its JSON body may be left out."""
    taken: Schema = {}
    if body is not None:
        taken = {"requestBody": {"required": False, "content": {"application/json": {"schema": body}}}}
    return {"summary": summary, "parameters": parameters, **taken, "responses": responses}
