"""Extended models of several families as GGUF: llama.cpp reads text and answers as transformers does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from thousand_texts import thousand_texts
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from lib.core.errors import UserError
from lib.export.comparison import Prompt, check_tokens, compare_answers
from lib.export.gguf_file import write_gguf
from lib.export.llama_cpp import LlamaCpp
from lib.models.loading import load_model, load_tokenizer
from lib.models.publishing import publish_model, publish_tokenizer
from lib.tokenizer.continued_bpe import extend_tokenizer
from tiny_families import gemma3, internlm, llama3, qwen2, qwen3, qwen3_moe
from tiny_model import make_tiny_model
from tokenizers_to_extend import CHINESE, learn_from
from workspace import documents

FAMILIES: dict[str, Callable[[Path], None]] = {
    "smollm2": make_tiny_model,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "qwen3_moe": qwen3_moe,
    "llama3": llama3,
    "internlm": internlm,
}
COMPOSED = "\u00e9"
DECOMPOSED = "e\u0301"


def extended(make: Callable[[Path], None], directory: Path) -> PreTrainedTokenizerFast:
    """Write a published model with 100 tokens more than the one that `make` writes; returns its tokenizer."""
    make(directory / "base")
    before = AutoTokenizer.from_pretrained(directory / "base")
    base = before.backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=extend_tokenizer(base, learn_from(base, [*documents(40), *CHINESE], 100)),
        chat_template=before.chat_template,
        **before.special_tokens_map,
    )
    model = AutoModelForCausalLM.from_pretrained(directory / "base", dtype=torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    publish_model(model, directory / "model")
    publish_tokenizer(tokenizer, directory / "model")
    return load_tokenizer(directory / "model")


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_reads_and_answers_as_transformers_does(family: str, tmp_path: Path) -> None:
    tokenizer = extended(FAMILIES[family], tmp_path)
    write_gguf(tmp_path / "model", tokenizer, tmp_path / "model.gguf", "f16", family, "apache-2.0")
    llama = LlamaCpp(tmp_path / "model.gguf", 512, 1)
    conversation = [{"role": "user", "content": "1998年，谁住在山里？\n\nIt's  me."}]
    rendered = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)

    unlike = check_tokens(llama, tokenizer, thousand_texts(), [Prompt([rendered])])
    prompts = [llama.tokens(rendered, special=True), llama.tokens("The old ferryman", special=False)]
    answers = compare_answers(llama, load_model(tmp_path / "model", dtype=torch.float32), prompts, 24)

    assert llama.conversation(conversation) in rendered  # the begin token is left to what reads it
    # Rounding may send a token of this random model to other experts.
    assert answers.same >= answers.tokens * (0.75 if family == "qwen3_moe" else 1) > 0
    assert all(DECOMPOSED in text for text in unlike)  # llama.cpp does not compose, as Qwen's tokenizers do
    assert bool(unlike) == family.startswith("qwen")


@pytest.mark.parametrize("file_type", ["q8_0", "q4_0", "q4_k_m"])
def test_fewer_bits_are_nearly_the_same_numbers(file_type: str, tmp_path: Path) -> None:
    tokenizer = extended(qwen3, tmp_path)
    for name in ("f16", file_type):
        write_gguf(tmp_path / "model", tokenizer, tmp_path / f"{name}.gguf", name, "tiny", "")
    whole, packed = (GGUFReader(tmp_path / f"{name}.gguf") for name in ("f16", file_type))
    assert (tmp_path / f"{file_type}.gguf").stat().st_size < (tmp_path / "f16.gguf").stat().st_size
    from gguf.quants import dequantize

    for before, after in zip(whole.tensors, packed.tensors, strict=True):
        assert before.name == after.name
        values = torch.tensor(before.data.copy()).float().flatten()
        found = torch.tensor(dequantize(after.data, after.tensor_type).copy()).float().flatten()
        assert torch.linalg.norm(found - values) <= 0.12 * torch.linalg.norm(values)
    assert LlamaCpp(tmp_path / f"{file_type}.gguf", 128, 1).tokens("山", special=False)


def test_a_family_that_is_not_written_is_refused(tmp_path: Path) -> None:
    gemma3(tmp_path / "model")
    with pytest.raises(UserError, match=r"models of type 'gemma3_text'.*convert_hf_to_gguf\.py"):
        write_gguf(tmp_path / "model", load_tokenizer(tmp_path / "model"), tmp_path / "model.gguf", "f16", "tiny", "")
    assert not (tmp_path / "model.gguf").exists()
