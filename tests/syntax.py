"""The syntax tree of a Python module, as far as it tells where a part of it is reached."""

import ast
from dataclasses import dataclass, field
from typing import TypeGuard


def calls(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether a node is a call."""
    return isinstance(node, ast.Call)


@dataclass(slots=True)
class Code:
    """A module's tree, and what its names stand for."""

    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    guards: set[str] = field(default_factory=set)
    """Names of conditions and marks that tell systems apart."""

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            self.parents |= dict.fromkeys(ast.iter_child_nodes(node), node)
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                self.names |= {name.asname: module + name.name for name in node.names if name.asname}
                self.names |= {name.name: module + name.name for name in node.names if module and not name.asname}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and self.tells_systems_apart(node.value):
                self.guards |= {target.id for target in node.targets if isinstance(target, ast.Name)}

    def full(self, node: ast.AST | None) -> str:
        """The dotted name of an expression, as if every module were imported whole; empty if it has none."""
        if isinstance(node, ast.Attribute):
            before = self.full(node.value)
            return f"{before}.{node.attr}" if before else f"?.{node.attr}"
        return self.names.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def tells_systems_apart(self, node: ast.AST) -> bool:
        """Whether a condition or a mark depends on the system."""
        known = {"sys.platform", "os.name", "platform.system", "hasattr"}
        parts = [part for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)]
        return any(self.full(part) in known or self.full(part).rpartition(".")[2] in self.guards for part in parts)

    def guarded(self, node: ast.AST) -> bool:
        """Whether a node is only reached where it works."""
        while parent := self.parents.get(node):
            if self._guards(parent, node) or self._left_before(parent, node):
                return True
            node = parent
        return False

    def _guards(self, parent: ast.AST, child: ast.AST) -> bool:
        match parent:
            case ast.If() | ast.IfExp():
                return child is not parent.test and self.tells_systems_apart(parent.test)
            case ast.BoolOp():
                return any(map(self.tells_systems_apart, parent.values[: parent.values.index(child)]))  # type: ignore[arg-type]
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return any(self.tells_systems_apart(test) for part in parent.generators for test in part.ifs)
            case ast.Try():
                elsewhere = {"AttributeError", "ImportError", "NotImplementedError", "OSError"}
                caught = {self.full(name) for it in parent.handlers if it.type for name in ast.walk(it.type)}
                return child in parent.body and bool(caught & elsewhere)
            case ast.FunctionDef() | ast.ClassDef():
                return child in parent.body and any(map(self.tells_systems_apart, parent.decorator_list))
        return False

    def _left_before(self, parent: ast.AST, child: ast.AST) -> bool:
        """Whether the statements before end, elsewhere, what the child is a part of."""
        body = getattr(parent, "body", [])
        if not isinstance(body, list) or child not in body:
            return False
        for statement in body[: body.index(child)]:
            match statement:
                case ast.If(test=test, body=[*_, last]):
                    left = self.tells_systems_apart(test) and self._leaves(last)
                case ast.Assert(test=it):
                    left = self.tells_systems_apart(it)
                case ast.Assign(targets=[ast.Name(id="pytestmark")], value=it):
                    left = isinstance(child, ast.FunctionDef | ast.ClassDef) and self.tells_systems_apart(it)
                case _:
                    left = False
            if left:
                return True
        return False

    def _leaves(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Expr) and calls(statement.value):
            return self.full(statement.value.func) in ("pytest.skip", "pytest.fail", "sys.exit")
        return isinstance(statement, ast.Return | ast.Raise | ast.Continue)
