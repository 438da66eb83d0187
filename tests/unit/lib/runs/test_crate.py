"""A run's crate names what was made of what, and the library that wrote it reads it back."""

import json
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from lib.core.manifest import write_manifest
from lib.core.outputs import sha256_file
from lib.runs.crate import METADATA, described


@pytest.fixture
def results(tmp_path: Path) -> Path:
    facts: dict[str, dict[str, Any]] = {
        "base_model": {"uri": "hf:org/base@main", "license": "mit"},
        "corpus": {},
        "tokenizer": {},
    }
    made_from = {"base_model": [], "corpus": [], "tokenizer": ["base_model", "corpus"]}
    for folder, told in facts.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.bin").write_text(folder)
        inputs = {name: tmp_path / name / "manifest.json" for name in made_from[folder]}
        write_manifest(tmp_path / folder, inputs=inputs, counts={"tokens": 7}, facts=told)
    origins = {"addresses": {"novel": "data/novel.txt"}, "licenses": {"novel": "public domain"}}
    (tmp_path / "corpus" / "origins.json").write_text(json.dumps(origins), encoding="utf-8")
    (tmp_path / "report.html").write_text("<p>")
    return tmp_path


def read(results: Path) -> ROCrate:
    (results / METADATA).write_text(described(results, "mine", "Graftline 1.0.0"), encoding="utf-8")
    return ROCrate(results)


def test_files_have_size_and_checksum(results: Path) -> None:
    crate = read(results)
    for path in ("tokenizer/data.bin", "tokenizer/manifest.json", "report.html"):
        entity = crate.get(path)
        assert entity["sha256"] == sha256_file(results / path)
        assert entity["contentSize"] == str((results / path).stat().st_size)
    assert [part.id for part in crate.get("tokenizer/")["hasPart"]] == [
        "tokenizer/data.bin",
        "tokenizer/manifest.json",
        "tokenizer/made_with.json",
    ]


def test_each_stage_is_made_out_of_others_by_this_code(results: Path) -> None:
    crate = read(results)
    action = crate.get("#make-tokenizer")
    assert [used.id for used in action["object"]] == ["base_model/", "corpus/"]
    assert [made.id for made in action["result"]] == ["tokenizer/"]
    assert action["instrument"]["version"] == "Graftline 1.0.0"
    (source,) = crate.get("#make-corpus")["object"]
    assert (source["name"], source["identifier"], source["license"]) == ("novel", "data/novel.txt", "public domain")
    (base,) = crate.get("#make-base_model")["object"]
    assert (base["identifier"], base["license"]) == ("hf:org/base@main", "mit")


def test_the_crate_says_what_the_specification_asks_for(results: Path) -> None:
    read(results)
    graph = {entity["@id"]: entity for entity in json.loads((results / METADATA).read_text(encoding="utf-8"))["@graph"]}
    assert graph[METADATA]["about"] == {"@id": "./"}
    assert graph[METADATA]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {"name", "description", "datePublished", "license"} <= graph["./"].keys()
    assert str(results) not in json.dumps(graph)
