"""Settings files: YAML with a mapping at its top, every key once."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from lib.core.errors import UserError
from lib.runs.names import DEMO
from lib.settings.base import merged, validate
from lib.settings.pipeline import PipelineSettings


def read_settings_file(path: Path) -> dict[str, Any]:
    """The keys and values of a settings file; UserError with file, line and reason when it is not one."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; name a settings file, as in config/") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        values = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if values is None:
        raise UserError(f"{path} is empty; it must hold keys and values, base_model among them")
    if not isinstance(values, dict):
        kind = "list" if isinstance(values, list) else "text" if isinstance(values, str) else "single value"
        raise UserError(f"{path} must be a mapping of keys to values, not a {kind}")
    return values


def read_settings(files: Sequence[Path]) -> PipelineSettings:
    """The settings of these files, a later one winning; those of the demo when there are none."""
    values: dict[str, Any] = {}
    for path in files or [Path(DEMO)]:
        values = merged(values, read_settings_file(path))
    return validate(PipelineSettings, values)


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML's readers silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if isinstance(key_node, yaml.ScalarNode) and key != "<<":
                if key in lines:
                    problem = f"the key {key!r} is already on line {lines[key]}; keep one of them"
                    raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
                lines[key] = line
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping
