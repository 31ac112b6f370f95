"""The one table from exception to sentence and exit code."""

from __future__ import annotations

from zoo.errors import ZooError
from zoo.text import clean_text


def explain_failure(error: BaseException) -> tuple[str, int]:
    """One clear sentence and the exit code for ``error``."""
    if isinstance(error, ZooError):
        return clean_text(str(error)), error.exit_code
    names = {f"{cls.__module__.split('.')[0]}.{cls.__name__}" for cls in type(error).__mro__}
    text = clean_text(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
    if "sqlalchemy.DBAPIError" in names or "sqlalchemy.SQLAlchemyError" in names:
        return f"the database refused: {text} (zoo db status tells more)", 5
    if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return f"{text}: check the path and its permissions", 2
    if isinstance(error, BrokenPipeError):
        return "the reader of the output went away", 1
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    return f"{type(error).__name__}: {text} (a fault of zoo: run again with --debug for the traceback)", 1
