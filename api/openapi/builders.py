"""The words in which the API describes itself: pieces of JSON Schema and of OpenAPI 3.1."""

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
YES: Schema = {"type": "boolean"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
NO_NUL = r"^[^\u0000]*$"
"""PostgreSQL keeps no text with a NUL in it."""


def thing(properties: Schema, *optional: str) -> Schema:
    """An object that has all its properties, but for optional ones."""
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def several(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def of_kind(name: str, description: str, most: int = 512) -> Schema:
    """A text that only we can tell from others like it, such as a cursor: `format` names the kind."""
    return {"type": "string", "format": name, "maxLength": most, "description": description}


def asked(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    """A query parameter."""
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def in_path(name: str, schema: Schema, description: str = "") -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def json_answer(description: str, data: Schema, **more: Schema) -> Schema:
    """A success, around its data."""
    schema = thing({"success": {"const": True}, "data": data})
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def refusals(*statuses: int) -> Schema:
    """Answers in the error envelope: those that any call may give, and these."""
    refused = {"description": "Refused.", "content": {"application/json": {"schema": ref("Error")}}}
    return {str(status): refused for status in sorted({400, 401, 403, 429, 503, *statuses})}


def get(summary: str, parameters: list[Schema], data: Schema, *also: int, links: Schema | None = None) -> Schema:
    """A call that reads, and answers 304 to whoever has the answer already."""
    answer = json_answer("The answer.", data, **({} if links is None else {"links": links}))
    answers = {"200": answer, "304": {"description": "Still the same."}, **refusals(*also)}
    return {"summary": summary, "parameters": parameters, "responses": answers}


def post(summary: str, parameters: list[Schema], body: Schema | None, answers: Schema) -> Schema:
    """A call that changes something; its JSON body may be left out."""
    taken: Schema = {}
    if body is not None:
        taken = {"requestBody": {"required": False, "content": {"application/json": {"schema": body}}}}
    return {"summary": summary, "parameters": parameters, **taken, "responses": answers}
