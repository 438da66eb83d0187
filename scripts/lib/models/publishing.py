"""Models and tokenizers as they are published: the same weights, logits and ids in transformers 4 (4.57) and 5.

transformers 5 writes what transformers 4 refuses or ignores: `rope_parameters` for `rope_theta` and `rope_scaling`,
`dtype` for `torch_dtype`, the tokenizer class TokenizersBackend, `extra_special_tokens` as a list. Both versions read
the older names, so those are written, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, zip_longest
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from lib.core.errors import UserError
from lib.core.outputs import read_json, write_json
from lib.models.tokenizer_files import published_config

SAMPLE_TEXTS = (
    "The ship came home in 1522; it's 37 °C, isn't it?",
    "Year\tTons\n1998\t12345\n2024\t1,234,567.89\n",
    "def area(r: float) -> float:\n    if r <= 0:\n\t\treturn 0.0  # none\n    return 3.14159 * r**2\n\n\nx[i] != y_2",
    "  two spaces before,  two between, two behind  ",
    " one space before",
    "\n\nlines before and behind\r\n\r\n",
    "第一回：宴桃園豪傑三結義，斬黃巾英雄首立功。“你好”，我们１２３！",
    "日本語の文、한국어 문장, слово о полку, مرحبا, e\u0301te\u0301 été",
    "🙂👍🏽 👨‍👩‍👧 𠀀",
    "HTTPServer2Go camelCase snake_case DON'T I'M we'll",
)
"""What tokenizers cut differently: numbers, code, spaces, line ends, punctuation, scripts, emoji, contractions."""
NEWEST_TOKENS = 1000
"""Number of the last tokens of a vocabulary that are compared one by one."""


def publish_model(
    model: PreTrainedModel, directory: Path, state_dict: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write weights (those of `state_dict` where given), configuration and generation settings into `directory`."""
    model.save_pretrained(directory, state_dict=state_dict)
    complete_config(directory)


def complete_config(directory: Path) -> None:
    """Add to the config.json in `directory`, as transformers 5 writes it, what transformers 4 reads."""
    path = directory / "config.json"
    config = read_json(path)
    older = _older_rope(config.get("rope_parameters") or {})
    if "dtype" in config:
        older["torch_dtype"] = config["dtype"]
    write_json(path, dict(sorted((config | older).items())))


def publish_tokenizer(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat template into `directory`, and load them as users do.

    Raises UserError when transformers' AutoTokenizer reads text otherwise than tokenizer.json says. What it makes of a
    tokenizer depends on the model, so a model's config.json has to be in `directory` before.
    """
    tokenizer.save_pretrained(directory)
    path = directory / "tokenizer_config.json"
    write_json(path, published_config(read_json(path), tokenizer.backend_tokenizer))
    check_tokenizer(directory)


def check_tokenizer(directory: Path, model: Path | None = None, texts: Iterable[str] = ()) -> None:
    """Raise UserError unless AutoTokenizer reads text in `directory` as the tokenizer.json there says.

    Compared are sample texts, texts of the newest tokens, and `texts`. With `model`, a directory with a config.json, it
    is read as the tokenizer of that model.
    """
    truth = Tokenizer.from_file(str(directory / "tokenizer.json"))
    config = AutoConfig.from_pretrained(model, trust_remote_code=False) if model else None
    loaded = AutoTokenizer.from_pretrained(directory, config=config, trust_remote_code=False)
    if len(loaded) != truth.get_vocab_size():
        raise UserError(
            f"AutoTokenizer of transformers {transformers.__version__} finds {len(loaded)} tokens where "
            f"tokenizer.json has {truth.get_vocab_size()}; let tokenizer_config.json name tokens of tokenizer.json only"
        )
    for text in chain(SAMPLE_TEXTS, _newest_tokens(truth), texts):
        for special in (False, True):
            wanted = truth.encode(text, add_special_tokens=special).ids
            found = loaded.encode(text, add_special_tokens=special)
            if found != wanted:
                raise UserError(
                    f"AutoTokenizer of transformers {transformers.__version__} makes a {type(loaded).__name__} of this "
                    f"tokenizer, which reads {_start(text)!r} otherwise than tokenizer.json says "
                    f"({_first(found, wanted)}); leave the base's pre-tokenizer as it is (tokenizer.words, "
                    "tokenizer.leading_marks), or take another base model"
                )


def _older_rope(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """transformers 5's `rope_parameters` in the words of transformers 4."""
    if "full_attention" in parameters:  # Gemma 3 has positions of their own in layers with a window
        window = parameters.get("sliding_attention") or {}
        theta = {"rope_local_base_freq": window["rope_theta"]} if "rope_theta" in window else {}
        return _older_rope(parameters["full_attention"]) | theta
    single = {key: parameters[key] for key in ("rope_theta", "partial_rotary_factor") if key in parameters}
    scaling = {key: value for key, value in parameters.items() if key not in single}
    return single | ({"rope_scaling": scaling} if scaling.get("rope_type", "default") != "default" else {})


def _newest_tokens(tokenizer: Tokenizer) -> Iterator[str]:
    """Texts of the last tokens of the vocabulary, and all of them in one, in order and shuffled."""
    size = tokenizer.get_vocab_size()
    texts = [tokenizer.decode([number], skip_special_tokens=False) for number in range(size)[-NEWEST_TOKENS:]]
    yield from texts
    yield "".join(texts)
    Random(0).shuffle(texts)
    yield "".join(texts)


def _start(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _first(found: list[int], wanted: list[int]) -> str:
    """Where two lists of ids differ first."""
    pairs = enumerate(zip_longest(found, wanted))
    place, (first, second) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
    return f"token {place}: {first} for {second}"
