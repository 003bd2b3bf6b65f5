"""JSON schemas, as pydantic and FastAPI make them, in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from animals.api import ApiModel
from animals.records import Record
from docs.generate.attributes import attributes
from docs.generate.markdown import code, table

Schema = Mapping[str, Any]


def words(schema: Schema) -> str:
    """What kind of value it describes; another schema by a link to its name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(words, schema["anyOf"])))
    if "const" in schema:
        return code(json.dumps(schema["const"]).strip('"'))
    if "enum" in schema:
        return " or ".join(map(code, schema["enum"]))
    if schema.get("type") == "array":
        return _list(schema)
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"map of text to {words(schema['additionalProperties'])}"
    return _plain(schema)


def _list(schema: Schema) -> str:
    if "prefixItems" in schema:
        return f"{len(schema['prefixItems'])} of {words(schema['prefixItems'][0])}"
    return f"list of {words(schema['items'])}" if schema.get("items") else "list"


def _plain(schema: Schema) -> str:
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return "file"
    if schema.get("format") == "date-time":
        return "time (ISO 8601)"
    names = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
    kind = str(schema.get("type", "any"))
    if kind == "number" and schema.get("minimum") == 0 and schema.get("maximum") == 1:
        return "number from 0 to 1"
    return names.get(kind, kind)


def references(schema: Any) -> Iterator[str]:
    """Names of the schemas that one speaks of."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def properties(schema: Schema) -> str:
    """A table of the fields of an object."""
    described = _docs(str(schema.get("title", "")))
    required = schema.get("required", ())
    rows = [
        (
            code(name),
            words(value),
            "" if name in required else "optional",
            value.get("description") or described.get(name, ""),
        )
        for name, value in schema.get("properties", {}).items()
    ]
    return table(("field", "value", "", "meaning"), rows)


def _docs(title: str) -> dict[str, str]:
    """What the class of that name says of its fields, whose schema does not hold it."""
    return {
        attribute.name: " ".join(attribute.doc.split())
        for base in (Record, ApiModel)
        for kind in _subclasses(base)
        if kind.__name__ == title
        for attribute in attributes(kind)
    }


def _subclasses(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _subclasses(child)
