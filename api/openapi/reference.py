"""Builds the page `/api/docs` of the document as HTML without scripts, as the content security policy requires.

Packages that render such documents contain bundles of scripts, which need a weaker policy.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from api.http.public_page import PublicPage
from api.openapi import naming, spec

PATHS: spec.Schema = {
    "/api/docs": {
        "get": {
            "summary": "Get this document as a page for people.",
            "parameters": [],
            "security": [],
            "responses": {"200": {"description": "A page.", "content": {"text/html": {"schema": spec.STRING}}}},
        }
    }
}
_STYLE = """
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:960px;margin:0 auto;padding:16px 20px 64px}
nav{columns:280px;margin:16px 0 32px}
nav a{display:block;overflow-wrap:anywhere}
section{margin:32px 0;padding-top:8px;border-top:1px solid #8886}
table{border-collapse:collapse;width:100%;margin:8px 0}
th,td{text-align:start;vertical-align:top;padding:4px 12px 4px 0;border-bottom:1px solid #8883;overflow-wrap:anywhere}
code,pre{font:.9rem/1.4 ui-monospace,monospace}
pre{overflow-x:auto;padding:12px;border:1px solid #8886;border-radius:8px}
"""


def page(document: Mapping[str, Any]) -> PublicPage:
    """Return the page of an OpenAPI document."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    return PublicPage.of("".join(_html(document)).encode(), headers)


def _html(document: Mapping[str, Any]) -> Iterable[str]:
    title = escape(document["info"]["title"])
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
    yield f"<p>{escape(document['info']['description'])} "
    yield 'The same for programs: <a href="/openapi.json">openapi.json</a>.</p>'
    operations = [*naming.each_operation(document["paths"])]
    schemas = document["components"]["schemas"]
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p><nav>"
        own = [entry for entry in operations if tag["name"] in entry[2]["tags"]]
        for method, path, operation in own:
            yield f'<a href="#{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></a>'
        yield "</nav>"
        for method, path, operation in own:
            yield from _operation(method, path, operation)
    yield "<h2>Schemas</h2><nav>"
    yield from (f'<a href="#schema-{name}">{name}</a>' for name in sorted(schemas))
    yield "</nav>"
    for name in sorted(schemas):
        yield f'<section id="schema-{name}"><h3>{name}</h3>'
        yield from _described(schemas[name])
        yield "</section>"
    yield "</main></body></html>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterable[str]:
    identifier = operation["operationId"]
    yield f'<section id="{identifier}"><h3><code>{method.upper()} {escape(path)}</code></h3>'
    yield f"<p>{escape(operation['summary'])} <code>{identifier}</code></p>"
    if operation.get("parameters"):
        yield "<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th>Meaning</th></tr></thead><tbody>"
        for parameter in operation["parameters"]:
            meaning = " ".join(filter(None, [parameter["description"], parameter["schema"].get("description")]))
            needed = " (required)" if parameter["required"] else ""
            yield f"<tr><th><code>{escape(parameter['name'])}</code>{needed}</th><td>{parameter['in']}</td>"
            yield f"<td>{_type(parameter['schema'])}</td><td>{escape(meaning)}</td></tr>"
        yield "</tbody></table>"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h4>Body: <code>{media_type}</code></h4>"
        yield from _content(content)
    for status, response in operation["responses"].items():
        yield f"<h4>{status}: {escape(response['description'])}</h4>"
        if status.startswith("2"):
            for media_type, content in response.get("content", {}).items():
                yield f"<p><code>{media_type}</code></p>"
                yield from _content(content)
    yield "</section>"


def _content(content: Mapping[str, Any]) -> Iterable[str]:
    yield from _described(content["schema"])
    if "example" in content:
        yield f"<pre>{escape(json.dumps(content['example'], indent=2, ensure_ascii=False))}</pre>"


def _described(schema: Mapping[str, Any]) -> Iterable[str]:
    """Yield the properties of an object, or the type of another schema."""
    if "properties" not in schema:
        yield f"<p>{_type(schema)}. {escape(schema.get('description', ''))}</p>"
        return
    yield "<table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>"
    for name, part in schema["properties"].items():
        needed = "" if name in schema.get("required", ()) else " (optional)"
        yield f"<tr><th><code>{escape(name)}</code>{needed}</th><td>{_type(part)}</td>"
        yield f"<td>{escape(part.get('description', ''))}</td></tr>"
    yield "</tbody></table>"


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type as one line of HTML."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    for word, joint in (("allOf", " and "), ("oneOf", " or "), ("anyOf", " or ")):
        if word in schema and "properties" not in schema:
            return joint.join(_type(part) for part in schema[word])
    if "enum" in schema or "const" in schema:
        return " or ".join(escape(json.dumps(value)) for value in schema.get("enum", [schema.get("const")]))
    if "items" in schema:
        return f"array of {_type(schema['items'])}"
    types: list[str] | str = schema.get("type", "any")
    names = types if isinstance(types, str) else " or ".join(types)
    if "properties" in schema:
        names += " of " + ", ".join(f"{escape(name)}: {_type(part)}" for name, part in schema["properties"].items())
    return f"{names} ({escape(schema['format'])})" if "format" in schema else names
