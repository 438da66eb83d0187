"""Settings files train what their first lines promise, by themselves: nothing comes from the demo."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings
from lib.settings.training import TrainingSettings
from workspace import PROJECT

DEMO = PROJECT / "config" / "demo.yaml"
PROMISE = re.compile(
    r"^# Trains (\d+) (step|epoch)s? of text at (\S+) and (\d+) (step|epoch)s? of instructions at (\S+)\."
)


def readme_example() -> str:
    (example,) = re.findall(r"```yaml\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return "".join(line.removeprefix("   ") for line in example.splitlines(keepends=True))


TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((PROJECT / "config").glob("*.yaml"))}
TEXTS["README"] = readme_example()


def resolved(name: str) -> PipelineSettings:
    return validate(PipelineSettings, yaml.safe_load(TEXTS[name]))


@pytest.mark.parametrize("name", TEXTS)
def test_steps_epochs_and_rates_are_those_of_the_first_lines(name: str) -> None:
    promise = next(filter(None, map(PROMISE.match, TEXTS[name].splitlines())))
    settings = resolved(name)
    stages: list[TrainingSettings] = [settings.pretrain, settings.sft]
    for stage, (number, unit, rate) in zip(stages, (promise.groups()[:3], promise.groups()[3:]), strict=True):
        assert (stage.max_steps if unit == "step" else stage.epochs) == int(number)
        assert unit == "step" or stage.max_steps is None
        assert stage.learning_rate == float(rate)


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {"demo"}))
def test_what_a_file_leaves_out_has_the_documented_default(name: str) -> None:
    given = yaml.safe_load(TEXTS[name])
    settings = resolved(name)
    defaults = PipelineSettings.model_validate({"base_model": {"uri": "x"}})
    for section in ("corpus", "tokenizer", "pretrain", "sft", "evaluation", "sweep"):
        for key, value in getattr(defaults, section):
            if key not in given.get(section, {}):
                assert getattr(getattr(settings, section), key) == value, (section, key)


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {"demo"}))
def test_the_questions_are_not_those_of_the_demo(name: str) -> None:
    prompts = resolved(name).evaluation.prompts
    assert prompts
    assert not {prompt for prompt in prompts if "三" in prompt and "义" in prompt}
    assert not any("诸葛亮" in prompt for prompt in prompts)


def test_the_recipe_of_the_article() -> None:
    settings = resolved("article-7b")
    adapter: dict[str, Any] = {
        "method": "lora",
        "rank": 8,
        "alpha": 32,
        "target_modules": ["q_proj", "v_proj"],
        "dropout": 0.05,
        "quantization": "8bit",
        "llm_int8_threshold": 6.0,
        "batch_size": 4,
        "gradient_accumulation": 1,
        "precision": "fp16",
        "max_steps": None,
    }
    first = {"epochs": 3, "learning_rate": 1e-4, "logging_steps": 100, "eval_steps": 5000, "save_steps": 10000}
    second = {"epochs": 5, "learning_rate": 5e-5, "template": "article", "max_length": 512}
    assert settings.pretrain.model_dump(include=set(adapter | first)) == adapter | first
    assert settings.pretrain.save_total_limit == 2
    assert settings.sft.model_dump(include=set(adapter | second)) == adapter | second
    on = {
        key
        for key, value in settings.corpus
        if value is True and key not in ("enabled", "clean", "decontaminate_instructions")
    }
    assert on == {"strip_html", "collapse_whitespace"}
    assert settings.corpus.minimum_length == 11
    assert settings.tokenizer.new_tokens


def test_a_file_of_the_user_is_not_laid_over_the_demo() -> None:
    """The Snakefile loads the demo's settings only where no file is given."""
    snakefile = (PROJECT / "Snakefile").read_text(encoding="utf-8")
    assert re.findall(r'^ *configfile: "(.*)"$', snakefile, re.MULTILINE) == [str(DEMO.relative_to(PROJECT))]
    assert Path(DEMO).is_file()
