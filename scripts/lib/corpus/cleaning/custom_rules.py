"""Cleaning functions of the user's own, from a Python file named in the settings.

Every function that the file defines, in order, unless its name begins with an underscore, is a rule: it takes the text
of a document and gives the text to go on with, or None to drop the document.

    def no_poems(text: str) -> str | None:
        return None if text.count("\\n") > len(text) / 10 else text
"""

import inspect
import sys
import traceback
from collections.abc import Callable
from types import ModuleType

from lib.core.errors import UserError
from lib.core.places import local_path

CustomRule = Callable[[str], str | None]


def load_custom_rules(path: str) -> dict[str, CustomRule]:
    """The rules of the file at `path` by name, in its order. UserError when it cannot be run or has none."""
    file = local_path(path)
    if not file.is_file():
        raise UserError(f"corpus.custom_rules: {path} does not exist; name a Python file with cleaning functions")
    module = ModuleType("custom_rules")
    sys.modules[module.__name__] = module  # where dataclasses and the like look for it
    try:
        code = compile(file.read_bytes(), path, "exec")
        exec(code, module.__dict__)
    except Exception as error:
        raise UserError(f"corpus.custom_rules: {path}{_line(error, path)} cannot be run: {_said(error)}") from None
    rules: dict[str, CustomRule] = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    if not rules:
        raise UserError(f"corpus.custom_rules: {path} defines no function; write `def NAME(text: str) -> str | None:`")
    return rules


def apply(name: str, rule: CustomRule, text: str, document: str, path: str) -> str | None:
    """What `rule` makes of the text of a document. UserError with file, line, function and document when it fails."""
    where = f"corpus.custom_rules: {path}"
    try:
        result = rule(text)
    except Exception as error:
        raise UserError(f"{where}{_line(error, path)}: {name} failed on document {document}: {_said(error)}") from None
    if result is None:
        return None
    if not isinstance(result, str):
        raise UserError(f"{where}: {name} gave {type(result).__name__} for document {document}; give a text or None")
    try:
        result.encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: {name} gave a lone surrogate for document {document}, which is no text") from None
    return result


def _line(error: Exception, path: str) -> str:
    """`, line 3`: the innermost line of the file at `path` that an error came from."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _said(error: Exception) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {message}".split())
