"""What users get from published models: token ids of texts, and the scores of the model for them.

    python tests/loaded_model.py SCORES DIRECTORY... < texts.json

Imports nothing of the project: as a program, it is run with another version of transformers. Prints a JSON list with an
object for each directory; scores go into SCORES, in safetensors. An adapter's directory loads with the base model that
its configuration names.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

OLDER = Path(__file__).resolve().parents[1] / ".venv-transformers-4"
LONGEST = 512
CONVERSATION = [{"role": "user", "content": "你好, 1234!"}]


def load(directory: Path, texts: Sequence[str]) -> tuple[dict[str, Any], torch.Tensor | None]:
    """What tokenizer and model in `directory` make of `texts`, and the scores (tokens, vocabulary) for all in a row.

    Where there is no model, the scores are None.
    """
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    found: dict[str, Any] = {
        "inputs": sorted(tokenizer(texts[0])),
        "ids": ids,
        "plain_ids": [tokenizer.encode(text, add_special_tokens=False) for text in texts],
        "decoded": [tokenizer.decode(row) for row in ids],
        "tokens": len(tokenizer),
        "special_tokens": [tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token],
        "special_ids": sorted(tokenizer.all_special_ids),
        "longest": tokenizer.model_max_length,
    }
    if tokenizer.chat_template:
        found["conversation"] = tokenizer.apply_chat_template(CONVERSATION, tokenize=False, add_generation_prompt=True)
    if not any((directory / name).is_file() for name in ("config.json", "adapter_config.json")):
        return found, None
    model = AutoModelForCausalLM.from_pretrained(directory, dtype="auto").eval()
    found["dtype"] = str(model.dtype)
    found["generated"] = model.generate(**tokenizer(texts[0], return_tensors="pt"), max_new_tokens=4).tolist()
    row = list(chain.from_iterable(ids))[:LONGEST]
    with torch.no_grad():
        return found, model(input_ids=torch.tensor([row])).logits[0].float()


def in_transformers_4(
    directories: Sequence[Path], texts: Sequence[str], scores: Path
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """The same with transformers 4, and the scores by directory; they pass through the file `scores`."""
    assert (OLDER / "transformers").is_dir(), f"`make {OLDER.name}/.installed` installs transformers 4"
    result = subprocess.run(
        [sys.executable, __file__, str(scores), *map(str, directories)],
        input=json.dumps(texts),
        env=os.environ | {"PYTHONPATH": str(OLDER)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["version"].startswith("4.57.")
    return printed["found"], load_file(scores)


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    directories, texts = sys.argv[2:], json.load(sys.stdin)
    loaded = {directory: load(Path(directory), texts) for directory in directories}
    save_file({name: scores for name, (_, scores) in loaded.items() if scores is not None}, sys.argv[1])
    print(json.dumps({"version": transformers.__version__, "found": [found for found, _ in loaded.values()]}))


if __name__ == "__main__":
    main()
