"""GGUF files made on the spot: same numbers as the model they were made from, and a clear word on a broken one."""

import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

import lib.base_model.gguf
from lib.base_model.gguf import is_gguf, load_gguf, read_file
from lib.core.errors import UserError
from tiny_families import FAMILIES
from tiny_model import CHAT_TEMPLATE, make_tiny_model

TEXTS = [
    "The ferry cost 1234 coins in 1522.",
    "河水上涨，老船夫数了12枚铜钱。\n\n  It's done! 🙂",
    "<|im_start|>user\n你好<|im_end|>",
]
TENSORS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(
    source: Path, target: Path, *, pre: str = "smollm", omit: str = "", rope_table: torch.Tensor | None = None
) -> None:
    """The Llama in `source` as llama.cpp's converter writes it, in full precision."""
    model = AutoModelForCausalLM.from_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    config = model.config
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_license("cc0-1.0")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer, pre, config.vocab_size)
    for name, weight in model.named_parameters():
        if (short := _gguf_name(name)) != omit:
            writer.add_tensor(short, _interleave(name, weight.detach().float(), model).contiguous().numpy())
    if rope_table is not None:
        writer.add_tensor("rope_freqs.weight", rope_table.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerFast, pre: str, rows: int) -> None:
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    control = set(tokenizer.added_tokens_decoder)
    kinds = [gguf.TokenType.CONTROL if index in control else gguf.TokenType.NORMAL for index in range(len(tokens))]
    kinds += [gguf.TokenType.UNUSED] * (rows - len(tokens))
    tokens += [f"[PAD{index}]" for index in range(len(tokens), rows)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def _gguf_name(name: str) -> str:
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if name in fixed:
        return fixed[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{TENSORS[rest.removesuffix('.weight')]}.weight"


def _interleave(name: str, weight: torch.Tensor, model: PreTrainedModel) -> torch.Tensor:
    """Rows of query and key in llama.cpp's order: it rotates neighbours, transformers rotates halves."""
    heads = {"q_proj": model.config.num_attention_heads, "k_proj": model.config.num_key_value_heads}
    kind = name.split(".")[-2]
    if kind not in heads:
        return weight
    count = heads[kind]
    return weight.reshape(count, 2, len(weight) // count // 2, -1).swapaxes(1, 2).reshape(weight.shape)


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("source")
    make_tiny_model(directory, tied=request.param)
    return directory


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("gguf")
    make_tiny_model(directory / "source")
    write_gguf(directory / "source", directory / "tiny.gguf")
    return directory / "tiny.gguf"


def test_same_numbers_and_same_tokens(source: Path, tmp_path: Path) -> None:
    write_gguf(source, tmp_path / "tiny.gguf")
    found = load_gguf(tmp_path / "tiny.gguf", torch.float32)
    assert found.warnings == []
    assert found.license == "cc0-1.0"
    reference = AutoModelForCausalLM.from_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(source)
    assert found.model.config.tie_word_embeddings == reference.config.tie_word_embeddings
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert found.tokenizer.encode(text) == ids
        assert found.tokenizer.decode(ids) == text
        with torch.no_grad():
            difference = found.model(torch.tensor([ids])).logits - reference(torch.tensor([ids])).logits
        assert difference.abs().max() < 1e-4


def test_saved_model_is_plain(file: Path, tmp_path: Path) -> None:
    found = load_gguf(file, torch.bfloat16)
    found.model.save_pretrained(tmp_path)
    found.tokenizer.save_pretrained(tmp_path)
    config = (tmp_path / "config.json").read_text()
    assert "quantization" not in config
    assert '"dtype": "bfloat16"' in config
    assert str(file.parent) not in config + (tmp_path / "tokenizer_config.json").read_text()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 0)
    assert tokenizer.model_max_length == 512
    assert (tmp_path / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    assert AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto").dtype == torch.bfloat16


def test_loading_prints_nothing(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from lib.models.loading import quiet_libraries

    quiet_libraries()
    capfd.readouterr()
    load_gguf(file, torch.float32)
    assert capfd.readouterr() == ("", "")


def test_tokens_are_those_of_the_rows(tmp_path: Path) -> None:
    """A vocabulary like Llama 3's: none of the tokens that a library would add, and rows that no token uses."""
    FAMILIES["llama3-8b-slurm"](tmp_path / "source")
    write_gguf(tmp_path / "source", tmp_path / "tiny.gguf", pre="llama-bpe")
    found = load_gguf(tmp_path / "tiny.gguf", torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "source")
    assert found.tokenizer.get_vocab() == tokenizer.get_vocab()
    assert found.model.config.vocab_size == len(tokenizer) + 13
    for text in TEXTS:
        assert found.tokenizer.encode(text) == tokenizer.encode(text)
    for key in ("bos_token_id", "eos_token_id"):
        assert getattr(found.model.config, key) == getattr(found.tokenizer, key) == getattr(tokenizer, key)


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_scaled_positions(factor: float, file: Path, tmp_path: Path) -> None:
    """As Llama 3.1 and 3.2 have them: slow rotations are `factor` times slower, fast ones as fast as before."""
    model = AutoModelForCausalLM.from_pretrained(file.parent / "source")
    theta, width = 500_000.0, model.config.head_dim
    wavelengths = 2 * torch.pi * theta ** (torch.arange(0, width, 2) / width)
    smooth = (8192 / wavelengths - 1) / (4 - 1)
    table = torch.where(wavelengths > 8192, factor, 1 / ((1 - smooth) / factor + smooth))
    table = torch.where(wavelengths < 8192 / 4, 1.0, table)
    assert table.min() == 1 < table.max() == factor
    model.config.rope_parameters = {"rope_type": "default", "rope_theta": theta}
    model.save_pretrained(tmp_path / "source")
    AutoTokenizer.from_pretrained(file.parent / "source").save_pretrained(tmp_path / "source")
    write_gguf(tmp_path / "source", tmp_path / "tiny.gguf", rope_table=table)
    found = load_gguf(tmp_path / "tiny.gguf", torch.float32).model
    assert found.config.rope_parameters["factor"] == factor
    found.save_pretrained(tmp_path / "written")
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "written")
    torch.testing.assert_close(written.model.rotary_emb.inv_freq, 2 * torch.pi / (wavelengths * table))


def test_a_file_that_does_not_say_how_text_is_cut(file: Path, tmp_path: Path) -> None:
    write_gguf(file.parent / "source", tmp_path / "tiny.gguf", pre="default")
    found = load_gguf(tmp_path / "tiny.gguf", torch.float32)
    assert found.warnings[0].startswith("tiny.gguf does not say how text is cut into words")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_truncated_file(file: Path, tmp_path: Path, share: float) -> None:
    content = file.read_bytes()
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"torn\.gguf: (the GGUF file is cut off|not a GGUF file)") as error:
        load_gguf(torn, torch.float32)
    assert "\n" not in str(error.value)


def test_a_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers: list[gguf.GGUFReader] = []

    class Counted(gguf.GGUFReader):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            readers.append(self)

    for module in (gguf, lib.base_model.gguf):
        monkeypatch.setattr(module, "GGUFReader", Counted)
    load_gguf(file, torch.float32)
    assert len(readers) == 1


def test_other_mistakes(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(UserError, match="not a GGUF file"):
        read_file(other)
    write_gguf(file.parent / "source", other, omit="blk.1.ffn_up.weight")
    with pytest.raises(UserError, match=r"lack 1 tensors of the model, model\.layers\.1\.mlp\.up_proj\.weight"):
        load_gguf(other, torch.float32)
    write_gguf(file.parent / "source", other, rope_table=torch.arange(1.0, 9.0))
    with pytest.raises(UserError, match=r"scales its rotary positions with a table that is not Llama 3\.1's"):
        load_gguf(other, torch.float32)
    writer = gguf.GGUFWriter(other, "no-such-architecture")
    writer.add_tensor("token_embd.weight", torch.ones(4, 4).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match="architecture 'no-such-architecture' are not supported; known ones: llama, "):
        load_gguf(other, torch.float32)


def test_is_gguf(file: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "model"
    renamed.write_bytes(file.read_bytes()[:8])
    text = tmp_path / "text"
    text.write_text("GG")
    assert is_gguf(file)
    assert is_gguf(renamed)
    assert not is_gguf(text)
