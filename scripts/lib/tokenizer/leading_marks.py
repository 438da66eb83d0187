"""Punctuation marks that stay with the Chinese or Japanese letters behind them (`，我们`), so that a token holds both.

What cuts text in front of BPE decides what a token can hold. The patterns of Llama 3 and Qwen leave one mark with the
letters behind it, in any script; GPT-2's, which SmolLM2 has, cuts between. Here such a pattern is made to look for a
Chinese or Japanese mark and letters first. SentencePiece does not cut there.
"""

import json
from typing import Any

from tokenizers import Tokenizer

LETTERS = "[々ぁ-ゖゝ-ゟァ-ヺー-ヿ㐀-䶿一-鿿𠀀-𲎯]+"
"""Chinese characters and kana, written out: not every engine of regular expressions knows scripts by name."""
MARKED = rf"(?=[\p{{P}}\p{{S}}])[、-〿・！-･]{LETTERS}"
"""A mark of Chinese or Japanese, of full width mostly, and the letters behind it."""
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What the byte-level pre-tokenizer of `tokenizers` does with `use_regex`."""
PROBE = "，我们"

Step = dict[str, Any]


def with_leading_marks(tokenizer: Tokenizer) -> Tokenizer:
    """`tokenizer`, in a copy if its pre-tokenizer has to be changed to leave a mark and the letters behind it together.

    One that cannot be changed so is given back as it is. Where no Chinese or Japanese letter follows such a mark, text
    is cut as before.
    """
    description = json.loads(tokenizer.to_str())
    before = description["pre_tokenizer"]
    if before is None or _leaves_together(tokenizer):
        return tokenizer
    changed = Tokenizer.from_str(json.dumps(description | {"pre_tokenizer": _looking_for_marks(before)}))
    return changed if _leaves_together(changed) else tokenizer


def _leaves_together(tokenizer: Tokenizer) -> bool:
    return len(tokenizer.pre_tokenizer.pre_tokenize_str(PROBE)) == 1


def _looking_for_marks(step: Step) -> Step:
    match step:
        case {"type": "Sequence", "pretokenizers": steps}:
            return step | {"pretokenizers": [_looking_for_marks(each) for each in steps]}
        case {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}:
            return step | {"pattern": {"Regex": f"{MARKED}|{pattern}"}}
        case {"type": "ByteLevel", "use_regex": True, "add_prefix_space": False}:
            split = {"type": "Split", "pattern": {"Regex": f"{MARKED}|{GPT2}"}, "behavior": "Isolated", "invert": False}
            return {"type": "Sequence", "pretokenizers": [split, step | {"use_regex": False}]}
    return step
