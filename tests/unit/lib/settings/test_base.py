"""Wrong settings end with one line that names the key."""

import pytest

from lib.core.errors import UserError
from lib.settings.base import from_json, to_json, validate
from lib.settings.pipeline import PipelineSettings
from lib.settings.pretrain import PackingSettings, PretrainSettings

BASE = {"base_model": {"uri": "model"}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pretrain": {"lerning_rate": 1}}, r"unknown key pretrain\.lerning_rate; .* pretrain\.learning_rate"),
        ({"pretain": {}}, r"unknown key pretain; .* pretrain"),
        ({"corpus": {"shards": "many"}}, r'corpus\.shards is "many": .*integer'),
        ({"corpus": {"languages": ["zh-CN"]}}, r"corpus\.languages is .*'zh-CN' is no language code .*; write zh$"),
        ({"corpus": {"languages": ["en", "chinese"]}}, r"'chinese' is no language code .*; write zh$"),
        ({"corpus": {"languages": ["jpn"]}}, r"'jpn' is no language code .*; write ja$"),
        ({"corpus": {"languages": ["klingon"]}}, r"'klingon' is no language code .*; known codes: ace, af, "),
        ({"corpus": {"languages": ["auto", "zh"]}}, r"auto stands alone"),
        ({"corpus": {"shards": 0}}, r"corpus\.shards is 0: .*greater than or equal to 1"),
        ({"tokenizer": {"initialization": "mode"}}, r'tokenizer\.initialization is "mode": .*mean'),
        ({"pretrain": {"method": "full", "quantization": "4bit"}}, r"pretrain.*method: full .* 4bit weights"),
        ({"gpu": 2, "sft": {"fsdp": True, "method": "full"}}, r"sft.*: fsdp spreads .* method: full trains all"),
        (
            {"gpu": 2, "sft": {"fsdp": True, "embeddings": "all"}},
            r"sft.*: fsdp spreads the embedding",
        ),
        ({"gpu": 2, "sft": {"fsdp": True, "quantization": "8bit"}}, r"sft.*: fsdp cannot spread 8bit weights"),
        ({"gpu": 2, "sft": {"fsdp": True, "dora": True}}, r"sft.*: fsdp leaves no weight whole, and dora"),
        ({"gpu": 1, "pretrain": {"fsdp": True}}, r"pretrain\.fsdp spreads .* there is one; raise gpu or nodes"),
        ({"sft": {"precision": "fp16"}}, r"sft\.precision: fp16 needs a GPU; raise gpu, or take bf16 or fp32"),
        ({"base_model": {}}, r"base_model\.uri is required"),
        ({"base_model": None}, r"base_model is null"),
        ({"sft": {"system": "a\0b"}}, r"sft\.system holds the character U\+0000, which no program can be given"),
        ({"evaluation": {"prompts": ["谁？", "\ud800"]}}, r"evaluation\.prompts holds the character U\+D800"),
        ({"pretrain": {"replay": {"a\0": 0.1}}}, r"pretrain\.replay holds the character U\+0000"),
        ({"seed": 1, "gpu": -1, "corpus": {"x": 1}}, r"gpu is -1: .* \(and 1 more\)"),
    ],
)
@pytest.mark.fault
def test_one_line_names_the_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        validate(PipelineSettings, BASE | values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("processes", [{"gpu": 2}, {"processes": 2}, {"gpu": 1, "nodes": 2}])
def test_fsdp_takes_several_processes(processes: dict[str, int]) -> None:
    assert validate(PipelineSettings, BASE | processes | {"sft": {"fsdp": True}}).sft.fsdp


def test_not_a_mapping() -> None:
    with pytest.raises(UserError, match="mapping"):
        validate(PipelineSettings, ["text"])


def test_a_program_gets_only_the_keys_of_its_part() -> None:
    settings = PretrainSettings(block_size=64, learning_rate=1)
    assert from_json(PackingSettings, to_json(settings, PackingSettings)) == PackingSettings(block_size=64)
    assert from_json(PretrainSettings, to_json(settings)) == settings


def test_scientific_notation_that_yaml_reads_as_text() -> None:
    assert validate(PretrainSettings, {"learning_rate": "1e-4"}).learning_rate == 1e-4
