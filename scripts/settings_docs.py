"""Write what the settings models say about themselves: the table in config/README.md and config/schema.json.

    python scripts/settings_docs.py
    python scripts/settings_docs.py --check

With --check nothing is written; the exit status says whether both are up to date.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lib.core.outputs import new_file
from lib.core.program import program_parser, run
from lib.settings.pipeline import PipelineSettings

CONFIG = Path(__file__).parent.parent / "config"
BEGIN = "<!-- written by scripts/settings_docs.py: begin -->"
OTHER_TYPES = {
    "list[str]": "list of texts",
    "list[int]": "list of whole numbers",
    "str | list[str]": "text or list of texts",
    "dict[str, lib.settings.evaluation.Bound]": "mapping of figures to bounds",
    "typing.Union[int, auto]": "whole number or auto",
    "dict[str, float]": "mapping of names to numbers",
    "list[dict[str, typing.Any]]": "list of mappings",
    "dict[str, list[typing.Any] | lib.settings.sweep.Range]": "mapping of keys to lists or ranges",
}
END = "<!-- written by scripts/settings_docs.py: end -->"


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    stale = []
    for path, text in documents().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not args.check:
            with new_file(path) as partial:
                partial.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if args.check and stale:
        sys.exit(f"out of date: {', '.join(map(str, stale))}; run make docs")


def documents() -> dict[Path, str]:
    """Path and full text of each generated document."""
    readme = CONFIG / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    schema = json.dumps(PipelineSettings.model_json_schema(), ensure_ascii=False, indent=2)
    return {
        readme: f"{before}{BEGIN}\n\n{tables(PipelineSettings)}\n{END}{after}",
        CONFIG / "schema.json": f"{schema}\n",
    }


def tables(model: type[BaseModel]) -> str:
    """One Markdown table for the top level, then one for every section."""
    top: list[str] = []
    sections: list[str] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            rows = [_row(key, inner) for key, inner in sorted(field.annotation.model_fields.items())]
            sections.append(f"### {name}\n\n{field.description}\n\n{_table(rows)}")
        else:
            top.append(_row(name, field))
    return "\n".join([f"### Top level\n\n{_table(top)}", *sections])


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    cells = [f"`{name}`", _type(field), _default(field), (field.description or "").replace("\n", " ")]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        factory = cast(Callable[[], Any] | None, field.default_factory)
        return f"`{json.dumps(factory())}`" if factory else "required"
    return f"`{json.dumps(field.default, ensure_ascii=False, default=str)}`"


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text = re.sub(r"typing\.Literal\[(.*)\]", r"\1", text.replace(" | None", "")).replace("'", "")
    names = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false", **OTHER_TYPES}
    limits = [str(limit) for item in field.metadata for limit in _limits(item)]
    return ", ".join([names.get(text, text), *limits])


def _limits(item: object) -> list[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return [f"{sign} {getattr(item, name)}" for name, sign in signs.items() if hasattr(item, name)]


if __name__ == "__main__":
    run(main)
