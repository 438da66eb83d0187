"""What can be known before anything runs: the plan on one machine and on a cluster, lint."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from lib.core.outputs import read_json
from lib.settings.base import to_json, validate
from lib.settings.pipeline import PipelineSettings
from workspace import PROJECT, Workspace, copy_project

RULES_FILES = {path: path.read_text(encoding="utf-8") for path in sorted((PROJECT / "rules").glob("*.smk"))}
RULES = {
    rule: body
    for text in RULES_FILES.values()
    for _, rule, body in re.findall(r"^( *)rule (\w+):\n((?:(?:\1 .*)?\n)+)", text, re.MULTILINE)
}
FILES = sorted(path for path in (PROJECT / "config").glob("*.yaml") if path.name != "demo.yaml")

REUSED = {
    name for text in RULES_FILES.values() for name in re.findall(r"^ *use rule \w+ as (\w+) with:$", text, re.MULTILINE)
}

# Those of a sweep are indented, since a stage that the run lacks cannot vary.
REUSED |= set(re.findall(r"use rule \w+ as (\w+) with:", RULES_FILES[PROJECT / "rules" / "sweep.smk"]))

# One that reaches every stage.
SETTINGS_THAT_VARY = {"pretrain.rank": [8, 16], "tokenizer.new_tokens": [0, 250], "sft.rank": [8]}
SWEEP = f"sweep={json.dumps({'settings': SETTINGS_THAT_VARY, 'max_steps': 9, 'rungs': 2})}"

COLLECTING = {"export"}
"""Rules without a program."""

ELSEWHERE = {"signatures_of_block", "own_stage_1"}
"""Rules of plans with many sources and of those with a stage-1 model of one's own: see test_scale.py, test_parts.py."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The project as it is published, with the settings of the default run."""
    root = tmp_path_factory.mktemp("clone") / "project"
    copy_project(root)
    return Workspace(root)


def asking_for_everything(clone: Workspace) -> list[str]:
    """Options that give a plan all rules but those that are ELSEWHERE."""
    demo = (clone.root / "config" / "corpus.tsv").read_text(encoding="utf-8").splitlines()[1].split("\t")
    sheet = f"name\turi\tparts\n{demo[0]}\t{demo[1]}\t\nnotes\tREADME.md\t2\n"
    (clone.root / "config" / "parts.tsv").write_text(sheet, encoding="utf-8")
    examples = {"good_examples": ["README.md"], "bad_examples": ["CHANGELOG.md"]}
    corpus = {"sources": "config/parts.tsv", "decontaminate": True, **examples}
    evaluation = {"lm_eval": ["arc_easy"], "require": {"text_bits_per_character": {"maximum": 8}}}
    export = {"formats": ["gguf-q8_0", "safetensors-bf16", "adapter-sft"]}
    sections = {"corpus": corpus, "evaluation": evaluation, "export": export}
    return ["--config", *(f"{name}={json.dumps(values)}" for name, values in sections.items()), SWEEP]


@pytest.mark.parametrize("profile", [(), ("--workflow-profile", "profiles/slurm")], ids=["default", "slurm"])
def test_the_default_run_shows_what_every_job_needs(clone: Workspace, profile: tuple[str, ...]) -> None:
    targets = ("all", "results/sweep/best.yaml", "results/evaluation/require.tsv", "export")
    everything = (*asking_for_everything(clone), "--", *targets)
    plan = clone.make("-n", "-p", *profile, *everything)
    names = set()
    for block in re.split(r"\n(?=\[\w{3} \w{3} )", plan):
        name = re.search(r"^rule (\w+):$", block, re.MULTILINE)
        if not name or name[1] in {"all", *COLLECTING}:
            continue
        names.add(name[1])
        wildcards = re.search(r"^ +wildcards: (.*)$", block, re.MULTILINE)
        path = "/".join([name[1], *(re.findall(r"=([^,]+)", wildcards[1]) if wildcards else [])])
        for needed in (
            r" output: ",
            rf"^ +log: logs/{path}\.log$",
            rf"^ +benchmark: benchmarks/{path}\.tsv$",
            r"^Shell command: .*python ",
        ):
            assert re.search(needed, block, re.MULTILINE), (needed, block)
        resources = re.search(r"^ +resources: (.*)$", block, re.MULTILINE)
        assert resources, block
        for resource in ("gpu", "mem_mb", "runtime"):
            assert re.search(rf"\b{resource}=\d+", resources[1]), (resource, block)
    assert names == (RULES.keys() | REUSED) - ELSEWHERE - COLLECTING


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.stem))
def test_the_command_in_the_header_of_a_settings_file_plans_its_run(clone: Workspace, file: Path) -> None:
    header = re.findall(r"^#(.*)\n", file.read_text(encoding="utf-8").partition("\n\n")[0] + "\n", re.MULTILINE)
    assert any("GPU memory" in line for line in header)
    assert any("Costs" in line for line in header)
    command = re.search(r"^   ((?:\S+/snakemake|make) .*?)(?<!\\)$", "\n".join(header), re.MULTILINE | re.DOTALL)
    assert command, header
    words = shlex.split(command[1].replace("\\\n", " "))
    options = ["--configfile", words[-1].removeprefix("CONFIG=")] if words[:2] == ["make", "run"] else words[1:]
    assert f"config/{file.name}" in options
    plan = clone.run(sys.executable, "-m", "snakemake", "-n", "-p", *options)
    assert plan.status == 0, plan.output
    planned = set(re.findall(r"^rule (\w+):$", plan.output, re.MULTILINE))
    assert {"base_model", "pretrain", "sft", "sft_model"} <= planned
    settings = validate(PipelineSettings, yaml.safe_load(file.read_text(encoding="utf-8")))
    for stage in (settings.pretrain, settings.sft):
        assert f"--settings {shlex.quote(to_json(stage))} " in plan.output
    assert (clone.root / "runs" / file.stem).is_dir()


@pytest.mark.parametrize("rule", sorted(RULES.keys() - COLLECTING - {"signatures_of_block"}))
def test_every_rule_says_all_that_it_must(rule: str) -> None:
    directives = re.findall(r"^ +(\w+):$", RULES[rule], re.MULTILINE)
    for needed in ("input", "output", "params", "conda", "shell"):
        assert needed in directives
    environment = re.search(r'conda:\n +"(\S+)"', RULES[rule])
    assert environment
    assert (PROJECT / "rules" / environment[1]).is_file()
    assert f'**program("{rule}"' in RULES[rule]


def test_the_list_of_rules_says_what_each_is_for(clone: Workspace) -> None:
    listed = clone.run(sys.executable, "-m", "snakemake", "--list-rules", *asking_for_everything(clone))
    assert listed.status == 0, listed.output
    explained = dict(re.findall(r"^(\w+) \((\S.*\.)\)$", listed.output, re.MULTILINE))
    assert explained.keys() == (RULES.keys() | REUSED) - ELSEWHERE | {"all", "model"}


@pytest.mark.parametrize(
    "path", [path for path in RULES_FILES if path.stem != "common"], ids=lambda path: str(path.stem)
)
def test_a_rules_file_opens_with_what_goes_in_and_comes_out(path: Path) -> None:
    assert re.match(r'"""\S.*\.\n\nin   \S(.|\n)*?\nout  results/', RULES_FILES[path])


def test_libraries_take_as_many_threads_as_the_rule_asks_for(fresh: Workspace) -> None:
    program = """import json, os, sys\nopen(sys.argv[-1], "w").write(json.dumps(dict(os.environ)))\n"""
    (fresh.root / "scripts" / "mix.py").write_text(program, encoding="utf-8")
    fresh.make("results/corpus/mix/stories.json")
    environment = json.loads((fresh.root / "results" / "corpus" / "mix" / "stories.json").read_text(encoding="utf-8"))
    for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"):
        assert environment[name] == "1"


def test_sources_with_files_of_any_names_are_read(fresh: Workspace) -> None:
    odd = fresh.root / "data" / "odd"
    odd.mkdir()
    for name in ("{x}.txt", "a{1}.txt", "\"quoted'.txt", "new\nline.txt", os.fsdecode("槐花.txt".encode("gbk"))):
        (odd / name).write_text("院子里的老槐树今年开花开得很晚。", encoding="utf-8")
    fresh.write_sheet("corpus", odd="data/odd", one="data/odd/a{1}.txt")
    everything = fresh.planned()
    assert {"fetch source=odd", "fetch source=one", "corpus"} <= everything
    fresh.make("results/corpus/raw/odd.json", "results/corpus/raw/one.json")
    documents = [
        read_json(fresh.root / "results" / "corpus" / "raw" / f"{name}.json")["documents"] for name in ("odd", "one")
    ]
    assert documents == [5, 1]
    (odd / "{x}.txt").write_text("又一年，它开得早了。", encoding="utf-8")
    assert everything - fresh.planned() == {"fetch source=one"}


def test_snakemake_has_nothing_to_criticise(clone: Workspace) -> None:
    lint = clone.run(sys.executable, "-m", "snakemake", "--lint")
    assert lint.status == 0, lint.output


def test_every_rule_has_the_program_of_its_name_and_every_rules_file_is_included() -> None:
    programs = {path.stem for path in (PROJECT / "scripts").glob("*.py")}
    tools = {"chat", "compare", "crate", "lock", "prune", "push", "run_folder", "serve", "settings_docs", "summary"}
    tools |= {"verify", "verify_files", "watch"}
    assert programs - tools - {"sweep_job"} == RULES.keys() - COLLECTING - {"signatures_of_block"}
    assert {Path(file).stem for file in re.findall(r'"rules/(\w+\.smk)"', (PROJECT / "Snakefile").read_text())} == {
        path.stem for path in (PROJECT / "rules").glob("*.smk")
    }


@pytest.mark.parametrize("stage", ["extended_model", "pretrain_data"])
def test_instructions_are_read_in_the_first_stage_only_when_asked(fresh: Workspace, stage: str) -> None:
    target = f"results/{stage}/manifest.json"
    assert "sft_data" not in fresh.planned(target)
    fresh.configure(pretrain={"include_instructions": True})
    assert "sft_data" in fresh.planned(target)
