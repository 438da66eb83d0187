"""Small tokenizers of every kind that can be extended, and text to extend them with."""

import json
from collections.abc import Callable

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from lib.tokenizer.base_vocabulary import base_vocabulary
from lib.tokenizer.continued_bpe import Extension, Goal, learn
from lib.tokenizer.leading_marks import with_leading_marks
from lib.tokenizer.run_counter import RunCounter
from lib.tokenizer.token_rules import Limits
from lib.tokenizer.token_table import TokenTraits

ENGLISH = "The quick brown fox jumps over the lazy dog, and the dog sleeps on while the fox runs away. " * 3
CHINESE = [
    "话说天下大势，分久必合，合久必分。",
    "刘备、关羽、张飞三人在桃园结义，誓同生死。",
    "曹操引大军南下，孙权与刘备合兵拒之于赤壁。",
    "诸葛亮对刘备说：“天下三分，可先取荆州为家。”",
    "1998年 Linux 出了2.1版，下载了3次，价钱是￥20。\n曹操引大军南下。",
    "Слово о полку Игореве, слово о полку.",
] * 5
DEFAULT = Limits()
SPECIAL = ("<unk>", "<s>", "</s>")


def byte_level(vocabulary: int = 320) -> Tokenizer:
    """GPT-2's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([ENGLISH], trainer)
    return tokenizer


def byte_level_with_marks() -> Tokenizer:
    """The same as the program extends it."""
    return with_leading_marks(byte_level())


def sentencepiece_legacy() -> Tokenizer:
    """Llama 1's and 2's kind: a normalizer puts a blank before each stretch of text, and nothing cuts it."""
    tokenizer = _sentencepiece()
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = None
    return tokenizer


def sentencepiece_metaspace() -> Tokenizer:
    """The same with a pre-tokenizer in the normalizer's place, as newer conversions have it."""
    tokenizer = _sentencepiece()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": byte_level,
    "byte-level, leading marks": byte_level_with_marks,
    "sentencepiece, legacy": sentencepiece_legacy,
    "sentencepiece, metaspace": sentencepiece_metaspace,
}


def _sentencepiece() -> Tokenizer:
    """BPE with byte fallback, learned on words."""
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    learner.train_from_iterator([ENGLISH, "，。"], trainers.BpeTrainer(vocab_size=120, show_progress=False))
    learned = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *(token for token, _ in learned)]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: number for number, token in enumerate(tokens)},
            merges=_merges(learner),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    return tokenizer


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def learn_from(
    tokenizer: Tokenizer,
    texts: list[str],
    goal: Goal | int,
    *,
    limits: Limits = DEFAULT,
    limit: int | None = None,
    **options: int,
) -> Extension:
    """What `texts` teach, by the steps that the program takes."""
    base = base_vocabulary(tokenizer)
    traits = TokenTraits(base, limits)
    counter = RunCounter(base, traits, **({"limit": limit} if limit else {}))
    counter.add(texts)
    goal = Goal(goal) if isinstance(goal, int) else goal
    totals = {"characters": counter.characters, "tokens": counter.tokens}
    return learn(base, traits, counter.counts(), goal, **totals, **options)
