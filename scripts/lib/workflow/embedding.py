"""This workflow as a module of another one: its rules are among others, under other names and in another folder.

With a `prefix`, all files of the run are in that folder, as those of a named run are in its own. Snakemake stays where
it is, programs work in the folder, and the environment says how to get back to what the settings name.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.core.places import ROOT


@dataclass(frozen=True)
class Embedded:
    """Where and under which names a workflow's rules are."""

    folder: str = ""
    """What paths of the run begin with, without the slash; empty where they have no prefix."""
    names: tuple[str, str] = ("", "")
    """What stands before and behind the own names of the rules."""

    @classmethod
    def of(cls, modifier: Any) -> "Embedded":
        """What Snakemake's `workflow.modifier` does to paths and names of the rules that are being defined."""
        before, _, behind = modifier.modify_rulename("*").partition("*")
        return cls((modifier.path_modifier.prefix or "").rstrip("/"), (before, behind))

    def own_name(self, rule: str) -> str:
        """The name that a rule has in its own files."""
        return rule.removeprefix(self.names[0]).removesuffix(self.names[1])

    def inside(self, value: Any) -> Any:
        """A path, or paths, of the run, from its folder."""
        if not self.folder:
            return value
        if isinstance(value, str):
            return value.removeprefix(f"{self.folder}/")
        return [self.inside(one) for one in value]

    def outside(self, paths: list[str]) -> list[str]:
        """The user's files, as rules have to name them: Snakemake puts the prefix before every relative path."""
        return [os.path.abspath(path) for path in paths] if self.folder else paths

    def command(self, command: str) -> str:
        """A shell command that begins with a program, and pipes it, with the program in the folder."""
        if not self.folder:
            return command
        program, pipe, rest = command.partition(" 2>&1 | ")
        folder, root = (shlex.quote(path) for path in (self.folder, os.path.relpath(Path.cwd(), self.folder)))
        place = f"cd {folder} && {ROOT}={root}".replace("{", "{{").replace("}", "}}")
        return f"({place} {program}){pipe}{rest}"


NOT_EMBEDDED = Embedded()
