"""What the user gives: the sheets' rows, and the local files that rules must watch for each address in the settings."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lib.base_model.families import check_local
from lib.chat.known_templates import is_file
from lib.core.errors import UserError, about
from lib.core.places import local_path
from lib.files import formats
from lib.settings.base import StageSettings
from lib.settings.corpus import SourceSettings
from lib.settings.pipeline import PipelineSettings
from lib.settings.sheets import Source, read_sheet, replay_shares
from lib.sources.addresses import local_files
from lib.sources.contents import Origin
from lib.sources.hub import MODEL_FILES
from lib.sources.listing import (
    WATCHED_FILES,
    can_be_watched,
    listing_fingerprint,
    local_source_files,
    named_inputs,
    other_inputs,
)
from lib.workflow.embedding import Embedded

StageSettingsT = TypeVar("StageSettingsT", bound=StageSettings)


@dataclass(frozen=True)
class Inputs:
    """Rows and files. An address elsewhere than on this machine has no files to watch."""

    corpus: dict[str, Source]
    """Sources of text by name; none in a run without a corpus."""
    instructions: dict[str, Source]
    """Sets of instructions by name; none in a run without stage 2."""
    replay: dict[str, float]
    """Share of the tokens of each source that is replayed."""
    corpus_files: dict[str, list[str]]
    """Files of each source of text."""
    files: dict[str, list[str]]
    """Files that the settings name, by dotted key; those of all sets of instructions by `sft.sources`."""
    origins: dict[str, dict[str, Origin]]
    """Where models, a tokenizer, text and instructions come from: by dotted key, and there by name of the source."""

    def named(self, *keys: str) -> list[str]:
        """The files of these keys that a rule names as its inputs; not those of addresses whose content it watches."""
        return named_inputs(self._looked_at(keys))

    def others(self, *keys: str) -> str:
        """Fingerprint of those that it cannot name."""
        return other_inputs(self._looked_at(keys))

    def _looked_at(self, keys: Iterable[str]) -> list[str]:
        found = []
        for key in keys:
            known = {file for one in self.origins.get(key, {}).values() if one.is_known for file in one.files}
            found += [file for file in self.files[key] if file not in known]
        return found

    def rows(self, key: str) -> list[Source]:
        """The rows of the sheet `key` with what lies at their addresses in the places of these: what a rule watches."""
        rows = self.corpus if key == "corpus.sources" else self.instructions
        return [replace(row, **self._watched(key, name)) for name, row in rows.items()]

    def source(self, name: str) -> Source:
        """The same of one source of text."""
        return replace(self.corpus[name], **self._watched("corpus.sources", name))

    def settings(self, settings: StageSettingsT, key: str) -> StageSettingsT:
        """The `settings` of a stage with what lies at the address `key` in the place of that."""
        watched = self._watched(key) if key in self.origins else {}
        return settings.model_copy(
            update={name: value for name, value in watched.items() if name in type(settings).model_fields}
        )

    def _watched(self, key: str, name: str = "") -> dict[str, Any]:
        origin = self.origins[key][name]
        return {"uri": origin.content(), "sha256": "" if origin.is_known else origin.sha256}

    def from_outside(self, embedded: Embedded) -> "Inputs":
        """The same files, as the rules of a module have to name them."""
        return replace(
            self,
            corpus_files={name: embedded.outside(files) for name, files in self.corpus_files.items()},
            files={key: embedded.outside(files) for key, files in self.files.items()},
            origins={
                key: {name: replace(one, files=embedded.outside(list(one.files))) for name, one in origins.items()}
                for key, origins in self.origins.items()
            },
        )

    def watched_files(self, source: str) -> list[str]:
        """The files of a source of text that a rule names as its inputs; none where it watches what they hold."""
        is_known = self.origins["corpus.sources"][source].is_known
        return [] if is_known or self.watched_listing(source) else self.corpus_files[source]

    def watched_listing(self, source: str) -> str:
        """Fingerprint of a listing of many files, or of odd names: quicker, and good for any name. Else empty."""
        files = self.corpus_files[source]
        if self.origins["corpus.sources"][source].is_known:
            return ""
        if len(files) <= WATCHED_FILES and all(map(can_be_watched, files)):
            return ""
        return listing_fingerprint(files)


def read_inputs(settings: PipelineSettings) -> Inputs:
    """The inputs of a run; UserError that names the sheet or the key when something is missing or wrong."""
    corpus, instructions = {}, {}
    if settings.corpus.enabled:
        corpus = read_sheet(local_path(settings.corpus.sources), SourceSettings, formats.ALL)
    if settings.sft.enabled:
        instructions = read_sheet(local_path(settings.sft.sources), formats=formats.RECORDS)
    with about(settings.corpus.sources):
        corpus_files = {name: local_source_files(row.uri) for name, row in corpus.items()}
        for name, row in corpus.items():
            if row.parts > 1 and not corpus_files[name]:
                raise UserError(
                    f"source {name}: parts is {row.parts}, but one job downloads {row.uri}; leave parts empty, or "
                    "download the source first and give its path"
                )
        replay = replay_shares(corpus, settings.pretrain.replay if corpus else {})
    with about(settings.sft.sources):
        sets = {name: local_source_files(row.uri) for name, row in instructions.items()}
    files = _named_files(settings)
    addresses = {
        "base_model.uri": Origin(settings.base_model.uri, settings.base_model.sha256, files["base_model.uri"]),
        "pretrain.uri": Origin(settings.pretrain.uri or "", "", files["pretrain.uri"]),
        "tokenizer.uri": Origin(settings.tokenizer.uri or "", "", files["tokenizer.uri"]),
    }
    origins = {key: {"": origin} for key, origin in addresses.items() if origin.uri}
    origins["corpus.sources"] = {name: Origin(row.uri, row.sha256, corpus_files[name]) for name, row in corpus.items()}
    origins["sft.sources"] = {name: Origin(row.uri, row.sha256, sets[name]) for name, row in instructions.items()}
    files["sft.sources"] = [path for paths in sets.values() for path in paths]
    return Inputs(corpus, instructions, replay, corpus_files, files, origins)


def _named_files(settings: PipelineSettings) -> dict[str, list[str]]:
    template, prompts = settings.sft.template, settings.evaluation.prompts
    models = {"base_model.uri": settings.base_model.uri, "pretrain.uri": settings.pretrain.uri}
    directories = models | {"tokenizer.uri": settings.tokenizer.uri}
    single = {"tokenizer.words": settings.tokenizer.words, "sft.template": template if is_file(template) else None}
    texts = {
        "corpus.benchmarks": settings.corpus.benchmarks,
        "corpus.good_examples": settings.corpus.good_examples,
        "corpus.bad_examples": settings.corpus.bad_examples,
        "evaluation.control": _one(settings.evaluation.control),
        "evaluation.lm_eval_tasks": _one(settings.evaluation.lm_eval_tasks),
        "evaluation.multiple_choice": _one(settings.evaluation.multiple_choice),
        "evaluation.prompts": [prompts] if isinstance(prompts, str) else [],
    }
    examples = {kind: bool(texts[f"corpus.{kind}_examples"]) for kind in ("good", "bad")}
    if examples["good"] != examples["bad"]:
        given, missing = ("good", "bad") if examples["good"] else ("bad", "good")
        raise UserError(
            f"settings: corpus.{missing}_examples: quality is learned from both; {given}_examples are given"
        )
    files: dict[str, list[str]] = {}
    for key, address in (directories | single).items():
        with about(f"settings: {key}"):
            patterns = MODEL_FILES if key in directories else ("*",)
            files[key] = local_files(address, patterns) if address else []
            if address and key in models:
                check_local(local_path(address))
    for key, addresses in texts.items():
        with about(f"settings: {key}"):
            files[key] = [path for address in addresses for path in local_source_files(address)]
    return files


def _one(address: str | None) -> list[str]:
    return [address] if address else []
