"""A secret in an address reaches the server, and no file of the run and no line on the terminal."""

import hashlib
import json
import sys

import pytest

from web_server import Site, serve
from workspace import Workspace, documents

SECRET = "s3cr3tV4lue"
WRITTEN = (".snakemake", "results", "logs", "benchmarks", "work")
"""Folders that a run writes into."""


@pytest.mark.fault
def test_a_signed_address_leaves_no_trace(fresh: Workspace) -> None:
    body = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents(10)).encode()
    with serve(Site(files={"/news.jsonl": body})) as site:
        address = f"{site.url}/news.jsonl?id=7&X-Amz-Signature={SECRET}"
        sheet = fresh.root / "config" / "corpus.tsv"
        row = ("news", address, hashlib.sha256(body).hexdigest())
        sheet.write_text("name\turi\tsha256\n" + "\t".join(row) + "\n", encoding="utf-8")
        fresh.configure(evaluation={"control": f"https://a.example/control.txt?token={SECRET}"})
        run = fresh.run(
            *(sys.executable, "-m", "snakemake", "--cores", "2", "-p", "results/corpus/raw/news.json"),
            no_proxy="127.0.0.1",
        )
        assert run.status == 0, run.output
        assert {path for path, _ in site.asked} == {f"/news.jsonl?id=7&X-Amz-Signature={SECRET}"}
        assert SECRET not in run.output
        told = json.loads((fresh.root / "results" / "corpus" / "raw" / "news.json").read_text(encoding="utf-8"))
        assert told["uri"] == f"{site.url}/news.jsonl?id=7"
        # A signature that was renewed re-runs nothing.
        sheet.write_text(sheet.read_text(encoding="utf-8").replace(SECRET, "renewed"), encoding="utf-8")
        assert fresh.planned("results/corpus/raw/news.json") == set()
    written = [path for folder in WRITTEN for path in (fresh.root / folder).rglob("*") if path.is_file()]
    assert {path.parts[len(fresh.root.parts)] for path in written} >= {".snakemake", "results", "logs"}
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


@pytest.mark.fault
def test_a_password_in_an_address_is_refused(fresh: Workspace) -> None:
    fresh.write_sheet("corpus", news=f"https://me:{SECRET}@a.example/news.jsonl")
    plan = fresh.snakemake("-n")
    assert plan.status == 1
    assert len(plan.errors) == 1
    assert "machine a.example login NAME password PASSWORD" in plan.errors[0]
    assert SECRET not in plan.output
    kept = [path for path in (fresh.root / ".snakemake").rglob("*") if path.is_file()]
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
