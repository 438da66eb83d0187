"""A run's results as an RO-Crate, from the manifests of its stages."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from lib.core.manifest import MADE_WITH, NAME
from lib.core.outputs import read_json, sha256_file

METADATA = "ro-crate-metadata.json"
VERSION = "1.1"
"""Of the specification: the newest that all registries read."""
BESIDE = ("report.html", "corpus/origins.json", "evaluation/*.tsv", "evaluation/*.json", "evaluation/*.md")
"""Results of a run that no manifest describes."""
WORKFLOW = "#graftline"


def described(results: Path, name: str, code: str) -> str:
    """The crate's metadata as JSON-LD.

    Each stage is a dataset with its files, their sizes and checksums, made by an action out of the stages whose
    manifests it was made from. Base model and sources of text and instructions are named with their licences.
    """
    crate = ROCrate(version=VERSION)
    crate.name = f"Graftline run {name}"
    crate.description = "From raw text and instructions to a fine-tuned chat model: the results of every stage."
    manifests = {path.parent.name: read_json(path) for path in sorted(results.glob(f"*/{NAME}"))}
    origins = results / "corpus" / "origins.json"
    if "corpus" in manifests and origins.is_file():
        manifests["corpus"]["facts"] |= read_json(origins)
    licenses = list(dict.fromkeys(filter(None, (license for *_, license in _sources(manifests)))))
    crate.license = licenses[0] if len(licenses) == 1 else "; ".join(licenses) or "not stated"
    software = ContextEntity(crate, WORKFLOW, {"@type": "SoftwareApplication", "name": "Graftline", "version": code})
    crate.add(software)
    given: dict[str, list[Any]] = {folder: [] for folder in manifests}
    for number, (folder, source, address, license) in enumerate(_sources(manifests)):
        entity = ContextEntity(crate, f"#source-{number}", _named(source, address, license))
        given[folder].append(crate.add(entity))
    datasets = {folder: _dataset(crate, results, folder, manifest) for folder, manifest in manifests.items()}
    made_from = {sha256_file(results / folder / NAME): dataset for folder, dataset in datasets.items()}
    for folder, manifest in manifests.items():
        used = [made_from[sha256] for sha256 in manifest["inputs"].values() if sha256 in made_from]
        action = crate.add_action(
            software,
            identifier=f"#make-{folder}",
            object=[*given[folder], *used],
            result=[datasets[folder]],
            properties={"name": f"Make {folder}"},
        )
        crate.root_dataset.append_to("mentions", action)
    for pattern in BESIDE:
        for path in sorted(results.glob(pattern)):
            _file(crate, results, path.relative_to(results).as_posix(), path.stat().st_size, sha256_file(path))
    return json.dumps(crate.metadata.generate(), ensure_ascii=False, indent=2) + "\n"


def _sources(manifests: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Folder that it went into, name, address and licence of what came from outside."""
    if "base_model" in manifests:
        facts = manifests["base_model"]["facts"]
        yield "base_model", "base model", facts["uri"], facts.get("license") or ""
    for folder in ("corpus", "sft_data"):
        facts = manifests[folder]["facts"] if folder in manifests else {}
        for name, address in facts.get("addresses", {}).items():
            yield folder, name, address, facts.get("licenses", {}).get(name, "")


def _named(name: str, address: str, license: str) -> dict[str, Any]:
    return {"@type": "CreativeWork", "name": name, "identifier": address, **({"license": license} if license else {})}


def _dataset(crate: ROCrate, results: Path, folder: str, manifest: Mapping[str, Any]) -> Any:
    properties = {"name": folder, "variableMeasured": [f"{key}: {value}" for key, value in manifest["counts"].items()]}
    dataset = crate.add_dataset(results / folder, f"{folder}/", properties=properties)
    names = {name: (facts["bytes"], facts["sha256"]) for name, facts in manifest["files"].items()}
    for name in (NAME, MADE_WITH):
        if (own := results / folder / name).is_file():
            names[name] = (own.stat().st_size, sha256_file(own))
    for name, (size, sha256) in names.items():
        dataset.append_to("hasPart", _file(crate, results, f"{folder}/{name}", size, sha256))
    return dataset


def _file(crate: ROCrate, results: Path, path: str, size: int, sha256: str) -> Any:
    properties = {"name": path, "contentSize": str(size), "sha256": sha256}
    return crate.add_file(results / path, path, properties=properties)
