"""What the docstring below each attribute of a class says: neither dataclasses nor our records keep it."""

import ast
import inspect
import textwrap
from dataclasses import dataclass


@dataclass(kw_only=True, slots=True, frozen=True)
class Attribute:
    """One attribute as the source has it."""

    name: str
    type: str
    default: str | None
    """None where one must be given."""
    doc: str
    """Empty where the source says nothing."""


def attributes(kind: type) -> list[Attribute]:
    """Those of a class and of its bases in this project, the bases' first.

    Args:
        kind: a dataclass or a pydantic model.
    """
    found: dict[str, Attribute] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] in ("animals", "tests"):
            found |= {attribute.name: attribute for attribute in _own(base)}
    return list(found.values())


def _own(kind: type) -> list[Attribute]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - for mypy: it is the source of a class
    after = [*definition.body[1:], None]
    return [
        Attribute(name=line.target.id, type=_type(line.annotation), default=_default(line.value), doc=_text(following))
        for line, following in zip(definition.body, after, strict=True)
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]


def _type(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)  # noqa: S101 - for mypy: Annotated has two arguments or more
        return ast.unparse(annotation.slice.elts[0])
    return ast.unparse(annotation)


def _default(value: ast.expr | None) -> str | None:
    if isinstance(value, ast.Call):  # Field(default_factory=now)
        factory = {keyword.arg: keyword.value for keyword in value.keywords}.get("default_factory")
        return "made anew" if factory is not None else None
    return None if value is None else ast.unparse(value)


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return inspect.cleandoc(str(statement.value.value))
    return ""
