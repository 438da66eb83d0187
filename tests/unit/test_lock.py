"""What `make lock` writes out of what uv found; test_envs.py holds the files against the requirements."""

import pytest

from lib.core.errors import UserError
from lock import BROUGHT_ALONG, ENVS, named_packages, pins, split_entries, with_pins

ENVIRONMENT = """\
# Tables.
dependencies:
  - python=3.11
  - pip
  - pip:
      - Jinja2==3.0.0
      - py_yaml
"""


def test_pins_are_found_by_normal_name() -> None:
    assert pins("# a==1\nPy_Yaml.x==6.0; python_version < '3.14'\nb==2 \\\n    --hash=c\n-r d.txt\ne>=3\n") == {
        "py-yaml-x": "6.0",
        "b": "2",
    }


def test_an_entry_has_its_hashes() -> None:
    text = "# Head\n-r other.txt\na==1 ; sys_platform == 'linux' \\\n    --hash=x \\\n    --hash=y\nb==2\n"
    assert split_entries(text) == {
        "a": "a==1 ; sys_platform == 'linux' \\\n    --hash=x \\\n    --hash=y\n",
        "b": "b==2\n",
    }


def test_versions_of_a_conda_environment_follow_the_tested_ones() -> None:
    named = named_packages(ENVIRONMENT, {"jinja2": "3.1.6", "py-yaml": "6.0.4", "other": "1"})
    assert named == {"Jinja2": "3.1.6", "py_yaml": "6.0.4"}
    written = with_pins(ENVIRONMENT, named, {"markupsafe": "3.0.4"})
    assert written == ENVIRONMENT.replace("3.0.0", "3.1.6").replace("py_yaml", "py_yaml==6.0.4") + (
        BROUGHT_ALONG + "      - markupsafe==3.0.4\n"
    )
    # What was brought along before is not taken for what the environment names.
    assert named_packages(written, {"jinja2": "4", "py-yaml": "7"}) == {"Jinja2": "4", "py_yaml": "7"}


def test_a_package_without_a_tested_version_is_named() -> None:
    with pytest.raises(UserError, match=r"no envs/requirements\*\.txt has py_yaml, .*; add it"):
        named_packages(ENVIRONMENT, {"jinja2": "3.1.6"})


def test_conda_environments_are_written_as_they_are() -> None:
    for environment in ENVS.glob("*.yaml"):
        text = environment.read_text(encoding="utf-8")
        named, _, brought = text.partition(BROUGHT_ALONG)
        versions = pins(named.replace("      - ", ""))
        assert with_pins(text, named_packages(text, versions), pins(brought.replace("      - ", ""))) == text
