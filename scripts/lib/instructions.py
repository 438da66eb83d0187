"""Instruction records: read from Alpaca files and rendered as prompt and response through a chat template."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.errors import UserError

if TYPE_CHECKING:  # a heavy library, which reading instructions does not need
    from transformers import PreTrainedTokenizerFast

SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True)
class Instruction:
    """One Alpaca record."""

    instruction: str
    input: str
    output: str
    category: str = ""

    @property
    def question(self) -> str:
        """What the user says: the instruction, and the input below it when there is one."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction


@dataclass(frozen=True)
class Example:
    """An instruction as the model reads it."""

    prompt: str
    """Rendered chat up to the point where the answer begins."""
    response: str
    """The answer, ending with the token that ends a turn."""


def read_instructions(path: Path) -> Iterator[Instruction]:
    """The records of a `.jsonl` file (streamed) or a `.json` list, in order.

    Raises UserError that names the file and the line (or position in the list) of the first bad record.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: instruction files end in {' or '.join(SUFFIXES)}")
    records = _json_list(path) if path.suffix == ".json" else _json_lines(path)
    for where, record in records:
        yield _instruction(where, record)


def render(instruction: Instruction, tokenizer: "PreTrainedTokenizerFast") -> Example:
    """The instruction through the tokenizer's chat template."""
    user = {"role": "user", "content": instruction.question}
    assistant = {"role": "assistant", "content": instruction.output}
    prompt = str(tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True))
    conversation = str(tokenizer.apply_chat_template([user, assistant], tokenize=False))
    if not conversation.startswith(prompt):
        raise UserError("the chat template renders a question differently once it is answered; use another template")
    response, end, _ = conversation[len(prompt) :].rpartition(str(tokenizer.eos_token))
    if not end:
        raise UserError(f"the chat template does not end an answer with the end token {tokenizer.eos_token}")
    return Example(prompt, response + end)


def require_chat_template(tokenizer: "PreTrainedTokenizerFast") -> None:
    """Raise UserError when the base model brought no chat template."""
    if not tokenizer.chat_template:
        raise UserError("the base model has no chat template; add a chat_template.jinja to the base model's directory")


def held_out(prompt: str, fraction: float, seed: int) -> bool:
    """Whether a prompt belongs to the validation split: decided by its text alone, so equal prompts stay together."""
    digest = hashlib.sha256(f"{seed}\0{prompt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def _json_list(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: broken JSON ({error.msg})") from None
    if not isinstance(records, list):
        raise UserError(f"{path}: expected a JSON list of records, found {type(records).__name__}")
    for number, record in enumerate(records, 1):
        yield f"{path}, record {number}", record


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield f"{path}, line {number}", json.loads(line.decode("utf-8-sig"))
            except UnicodeDecodeError as error:
                raise UserError(f"{path}, line {number}: not UTF-8 text ({error.reason})") from None
            except json.JSONDecodeError as error:
                raise UserError(f"{path}, line {number}: broken JSON ({error.msg})") from None


def _instruction(where: str, record: Any) -> Instruction:
    if not isinstance(record, dict):
        raise UserError(
            f"{where}: expected an object with instruction, input and output, found {json.dumps(record)[:60]}"
        )
    for key in ("instruction", "output"):
        if key not in record:
            raise UserError(f"{where}: no {key!r}; the record has {', '.join(sorted(record)) or 'no keys'}")
    values = {key: record.get(key) or "" for key in ("instruction", "input", "output", "category")}
    for key, value in values.items():
        if not isinstance(value, str):
            raise UserError(f"{where}: {key} must be text, not {json.dumps(value)[:60]}")
    for key in ("instruction", "output"):
        if not values[key].strip():
            raise UserError(f"{where}: {key} is empty")
    return Instruction(**values)
