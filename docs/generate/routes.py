"""The reference of the HTTP API, from the OpenAPI document of the real application."""

import os
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

from animals.serving.settings import BackendSettings
from docs.generate.markdown import page, table
from docs.generate.schemas import properties, references, words


def openapi() -> dict[str, Any]:
    """The document that a backend with its defaults, and a key that is never used, answers at `/openapi.json`."""
    from animals.serving.app import create_app

    with patch.dict(os.environ, clear=True):  # whatever is set here is no part of the documentation
        return create_app(BackendSettings(secret="documentation")).openapi()  # noqa: S106


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def routes_page() -> str:
    """Each route with its parameters, answers and errors, then what the answers hold."""
    document = openapi()
    schemas = document["components"]["schemas"]
    routes = list(operations(document))
    named = _needed([operation for _, _, operation in routes], schemas)
    return page(
        "HTTP API of the backend",
        "`GET /openapi.json` answers the document that this page is made from, `GET /docs` a page to try it out. "
        "Each path may be written with and without the final slash. `GET /metrics` answers [counts for "
        "Prometheus](metrics.md). What a client may send at most, and what happens under load, is in [how the "
        "service keeps answering](../design/serving.md); the protocol below `/v2` in [other "
        "clients](../design/clients.md).",
        *(_route(*route, schemas) for route in routes),
        "## What they hold",
        *(_model(name, schemas[name]) for name in named),
    )


def _needed(operations: list[dict[str, Any]], schemas: Mapping[str, Any]) -> list[str]:
    """Schemas that the routes name, and those that these name; forms are shown with their route."""
    found: list[str] = []
    waiting = [name for operation in operations for name in references(operation)]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting += references(schemas[name])
    return [name for name in found if not name.startswith("Body_")]


def _model(name: str, schema: Mapping[str, Any]) -> str:
    told = (schema.get("description") or "").partition("\n\n")[0]
    return f"### {name} {{ #{name} }}\n\n{told}\n\n{properties(schema)}"


def _route(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = [f"## {method} {path}", operation["description"], _body(operation, schemas), _parameters(operation)]
    parts.append(_answers(operation["responses"]))
    return "\n\n".join(part for part in parts if part)


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return "\n\n".join(
        f"**Send** `{kind}`:\n\n{properties(_resolved(described['schema'], schemas))}"
        for kind, described in content.items()
        if _resolved(described["schema"], schemas).get("properties")
    )


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    names = list(references({"$ref": schema["$ref"]})) if "$ref" in schema else []
    found: Mapping[str, Any] = schemas[names[0]] if names else schema
    return found


def _parameters(operation: Mapping[str, Any]) -> str:
    rows = [
        (f"`{given['name']}`", f"{given['in']}, {words(given['schema'])}", given.get("description", ""))
        for given in operation.get("parameters", ())
    ]
    return table(("parameter", "where", "meaning"), rows) if rows else ""


def _answers(responses: Mapping[str, Any]) -> str:
    rows = []
    for status, response in responses.items():
        schemas = [described.get("schema", {}) for described in response.get("content", {}).values()]
        held = " or ".join(words(schema) for schema in schemas if schema)
        meaning = "" if status == "200" else response["description"]
        rows.append((f"**{status}**", held, meaning))
    return table(("answer", "holds", "meaning"), rows)
