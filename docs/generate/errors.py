"""The reference of errors, from their classes and from the tables that give them a status over HTTP."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from animals.errors import AnimalsError
from animals.monitoring import main as report
from animals.serving import error_responses
from docs.generate.markdown import code, page, table


def tree(kind: type[AnimalsError] = AnimalsError, depth: int = 0) -> Iterator[tuple[type[AnimalsError], int]]:
    """Each error with its depth, a parent before its children."""
    yield kind, depth
    for child in kind.__subclasses__():
        if child.__module__ == AnimalsError.__module__:
            yield from tree(child, depth + 1)


def errors_page() -> str:
    """The tree of errors, and what each status of the backend means."""
    rows = [
        (
            f"{'&emsp;' * depth}{code(kind.__name__)}",
            (kind.__doc__ or "").partition("\n")[0],
            str(kind.exit_code),
            _status(kind, error_responses.STATUS),
            _status(kind, report.STATUS),
        )
        for kind, depth in tree()
    ]
    meanings = [(f"{status} {_phrase(status)}", text) for status, text in sorted(error_responses.MEANING.items())]
    return page(
        "Errors",
        "Everything that the programs refuse is one of these. A command says it in one sentence on stderr and "
        'ends with the exit code; a service answers with the status and `{"detail": sentence}`. `ANIMALS_DEBUG=1` '
        "shows a traceback besides. Whatever is not in this table is a fault of the program: the exit code is 1 "
        "with a traceback, the status 500. After Ctrl-C the exit code is 130.",
        table(("error", "meaning", "exit code", "backend", "report"), rows),
        "## Answers of the backend\n\n" + table(("status", "meaning"), meanings),
    )


def _status(kind: type[AnimalsError], statuses: Mapping[type[AnimalsError], int]) -> str:
    found = [int(statuses[parent]) for parent in kind.__mro__ if parent in statuses and parent is not AnimalsError]
    return str(found[0]) if found else ""


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
