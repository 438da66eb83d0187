"""docs/faults.md and the tests that are marked as showing a fault name each other."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<fault>[^|]+) \| (?P<seen>[^|]+) \| (?P<lost>\d+) \| (?P<rerun>[^|]+) \| `(?P<test>\S+)` \|$")
TABLE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = [found for line in TABLE.splitlines() if (found := ROW.match(line))]


def marked(path: Path) -> list[str]:
    """Tests in a file that have the mark `fault`."""
    functions = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    return [one.name for one in functions if "pytest.mark.fault" in map(ast.unparse, one.decorator_list)]


def test_rows_and_marked_tests_are_the_same() -> None:
    found = {
        f"{path.relative_to(TESTS).as_posix()}::{name}" for path in TESTS.rglob("test_*.py") for name in marked(path)
    }
    assert {row["test"] for row in ROWS} == found


def test_every_row_says_what_is_seen_and_lost() -> None:
    assert len(ROWS) >= 60
    assert len(ROWS) == len(re.findall(r"^\| (?!fault|---)", TABLE, re.MULTILINE))
    kinds = set(re.findall(r"^- \*\*(.+?)\*\*:", TABLE, re.MULTILINE))
    assert {row["rerun"] for row in ROWS} == kinds
    assert {row["lost"] for row in ROWS} == {"0"}
    assert len({row["fault"] for row in ROWS}) == len(ROWS)
