"""pandas for sheets, scores and tables of the report, polars for shards of text: no module needs both."""

from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.py")), ids=lambda path: path.relative_to(SCRIPTS).as_posix())
def test_a_module_has_one_kind_of_frame(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not {"import pandas as pd", "import polars as pl"} <= {line.strip() for line in lines}
