"""Accept every spelling of a path: doubled slashes, and a final slash or none."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from animals.api import CLASSIFY_PATH, FEEDBACK_PATH

_WITH_FINAL_SLASH = frozenset({"/", CLASSIFY_PATH, FEEDBACK_PATH})
"""Routes whose path ends in a slash; all others are declared without one."""

_SLASHES = re.compile("/{2,}")


class SlashMiddleware:
    """ASGI middleware that rewrites each path to the spelling that its route has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path, and pass the request on."""
        if scope["type"] == "http":
            scope["path"] = canonical_path(scope["path"], scope.get("root_path", ""))
        await self._app(scope, receive, send)


def canonical_path(path: str, root_path: str) -> str:
    """Return the spelling that the route has; a redirect to it would cost a second upload.

    The root path is the prefix below which a proxy serves the application.
    """
    bare = _SLASHES.sub("/", path).rstrip("/")
    return f"{bare}/" if f"{bare.removeprefix(root_path)}/" in _WITH_FINAL_SLASH else bare
