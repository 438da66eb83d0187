"""Continued BPE against other ways to extend a vocabulary, on held-out Chinese text.

    make bench-tokenizer

News and reviews, cleaned as the pipeline cleans; a twentieth of the lines is held out and never seen in learning. For
1,000 to 16,000 new tokens on the base model of the default run: continued BPE; the same with text cut as the base cuts
it, with limits on what a token may hold and without; a vocabulary trained separately on the same text, its merges
appended; `add_tokens` of words that continued BPE found. For a SentencePiece base, trained here on English: pieces of a
second SentencePiece model appended, as the Llama models for Chinese have it. Time and memory are those of the whole
program scripts/tokenizer.py; speeds count processor time, medians of alternating rounds.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(PROJECT / "tests"), str(Path(__file__).parent)]
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import polars as pl
from bench_corpus import megabytes, processor
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer, sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

from chinese_text import modern_documents
from cost import cost_of
from lib.base_model.tokenizer_model import read_tokenizer_model
from lib.core.outputs import write_json
from lib.corpus.cleaning.clean import clean
from lib.settings.corpus import CleaningSettings
from lib.tokenizer.base_vocabulary import base_vocabulary
from lib.tokenizer.continued_bpe import Extension, Goal, Merge, extend_tokenizer, learn
from lib.tokenizer.leading_marks import with_leading_marks
from lib.tokenizer.run_counter import RunCounter
from lib.tokenizer.token_rules import Limits
from lib.tokenizer.token_table import TokenTraits

SIZES = (1000, 2000, 4000, 8000, 16000)
MEASURED = 8000  # new tokens where time, memory and speed are measured
ROUNDS = 5
SPEED_MEGABYTES = 2.0
ENGLISH_MEGABYTES = 3.0
DEFAULT = Limits()
# What vocabularies for English hold beside ASCII, here so often that training keeps it.
SIGNS = "“ ” ‘ ’ — – … · • £ € é è ü ö ä ñ ç\n" * 200

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="Python of the environment that has the texts")
    parser.add_argument("--base-model", type=Path, default=PROJECT / "results" / "base_model")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "tokenizer.json")
    args = parser.parse_args()
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    # Not resolved: the Python of an environment is a link to one that knows nothing of it.
    site = subprocess.run([args.peer.absolute(), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    train, held_out = map(cleaned, modern_documents(Path(site)))
    text = {"train": megabytes(train), "held_out": megabytes(held_out)}
    print(f"{text['train']:.1f} MB to learn from, {text['held_out']:.2f} MB held out", flush=True)

    base = Tokenizer.from_file(str(args.base_model / "tokenizer.json"))
    extended: dict[int, Tokenizer] = {}
    with tempfile.TemporaryDirectory() as name:
        rows = [
            *compare_byte_level(base, train, held_out, extended),
            *compare_sentencepiece(train, held_out, Path(name)),
        ]
        cost = program_cost(args.base_model, train, held_out, Path(name))
    speeds = compare_speed(base, extended[MEASURED], train)
    result = {
        "machine": {"cpu": processor(), "cores": os.cpu_count()},
        "megabytes": text,
        "characters_per_token": rows,
        "used": used(base, extended[MEASURED], train),
        "program": cost,
        "encoding_megabytes_per_second": speeds,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(args.output, result)
    print(json.dumps(result | {"characters_per_token": "above"}, ensure_ascii=False, indent=1), flush=True)


def cleaned(texts: Sequence[str]) -> list[str]:
    frame = pl.DataFrame({"id": [str(number) for number in range(len(texts))], "text": texts})
    return list(clean(frame, CleaningSettings()).kept["text"])


def compare_byte_level(
    base: Tokenizer, train: Sequence[str], held_out: Sequence[str], extended: dict[int, Tokenizer]
) -> Iterator[Row]:
    """One row for each size; the extended tokenizers go into `extended`."""
    other = merges_of(separate(base, train))
    unlimited = merges_without_limits(base, train)
    reached = characters_per_token(base, held_out)
    for size in SIZES:
        extended[size] = continued(base, train, size)
        ways = {
            "ours": extended[size],
            "leading_marks: false": continued(base, train, size, Limits(leading_marks=False)),
            "without limits": with_merges(base, unlimited, size),
            "merges appended": with_merges(base, other, size),
            "add_tokens": with_added(base, words(base, extended[size])),
        }
        yield show(
            {"base": "byte-level", "new_tokens": size, "without": reached}
            | {name: characters_per_token(tokenizer, held_out) for name, tokenizer in ways.items()}
        )


def compare_sentencepiece(train: Sequence[str], held_out: Sequence[str], work: Path) -> Iterator[Row]:
    """One row for each size; with and without the promise to keep Latin text, which merged pieces do not give."""
    train_sentencepiece([SIGNS, *english()], work / "tokenizer.model", 4000)
    base = read_tokenizer_model(work / "tokenizer.model", 1024).backend_tokenizer
    for size in SIZES:
        yield show(
            {
                "base": "SentencePiece",
                "new_tokens": size,
                "without": characters_per_token(base, held_out),
                "ours": characters_per_token(continued(base, train, size), held_out),
                "keep_latin: false": characters_per_token(
                    continued(base, train, size, Limits(keep_latin=False)), held_out
                ),
                "pieces merged": merged_pieces(work / "tokenizer.model", train, held_out, size),
            }
        )


def show(row: Row) -> Row:
    print(
        "  ".join(f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
    )
    return row


def continued(tokenizer: Tokenizer, train: Sequence[str], size: int, limits: Limits = DEFAULT) -> Tokenizer:
    if limits.leading_marks:
        tokenizer = with_leading_marks(tokenizer)
    base = base_vocabulary(tokenizer)
    traits = TokenTraits(base, limits)
    counter = RunCounter(base, traits)
    for start in range(0, len(train), 500):
        counter.add(train[start : start + 500])
    totals = {"characters": counter.characters, "tokens": counter.tokens}
    extension = learn(base, traits, counter.counts(), Goal(size), **totals)
    assert len(extension.tokens) == size
    return extend_tokenizer(tokenizer, extension)


def separate(base: Tokenizer, train: Sequence[str]) -> Tokenizer:
    """A vocabulary of its own for the text, with the base's pre-tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = base.pre_tokenizer
    alphabet = sorted(token for token in base.get_vocab() if len(token) == 1)
    trainer = trainers.BpeTrainer(vocab_size=2 * SIZES[-1], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(train, trainer)
    return tokenizer


def merges_without_limits(base: Tokenizer, train: Sequence[str]) -> list[Merge]:
    """Merges over the base's tokens, whatever they hold, as the trainer of `tokenizers` learns them.

    It takes characters only, so each of the base's tokens becomes one of those for private use.
    """
    letters = {number: chr(0xF0000 + number) for number in base.get_vocab().values()}
    tokens = {letters[number]: token for token, number in base.get_vocab().items()}

    @cache
    def disguised(run: str) -> str:
        return "".join(letters[token.id] for token in base.model.tokenize(run))

    runs = (disguised(run) for text in train for run, _ in base.pre_tokenizer.pre_tokenize_str(text))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(
        runs, trainers.BpeTrainer(vocab_size=len(letters) + 2 * SIZES[-1], show_progress=False)
    )
    return [
        Merge(*("".join(tokens[letter] for letter in part) for part in (merge.left, merge.right)))
        for merge in merges_of(tokenizer)
    ]


def merges_of(tokenizer: Tokenizer) -> list[Merge]:
    return [Merge(*pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def with_merges(base: Tokenizer, merges: Sequence[Merge], size: int) -> Tokenizer:
    """`base` with the first of `merges` that make `size` new tokens."""
    known = set(base.get_vocab())
    there = {(merge.left, merge.right) for merge in merges_of(base)}
    new: dict[str, None] = {}
    taken: list[Merge] = []
    for merge in merges:
        if merge.token not in known and merge.token not in new:
            if len(new) == size:
                break
            new[merge.token] = None
        if (merge.left, merge.right) not in there:
            taken.append(merge)
    return extend_tokenizer(base, Extension(list(new), taken))


def words(base: Tokenizer, extended: Tokenizer) -> list[str]:
    """The new tokens of `extended` that are text, not parts of a character."""
    known = base.get_vocab()
    texts = [extended.decode([number]) for token, number in extended.get_vocab().items() if token not in known]
    return sorted(text for text in texts if "\N{REPLACEMENT CHARACTER}" not in text)


def with_added(base: Tokenizer, added: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer.from_str(base.to_str())
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in added])
    return tokenizer


def train_sentencepiece(texts: Sequence[str], path: Path, vocabulary: int, coverage: float = 0.9995) -> None:
    with path.open("wb") as content:
        SentencePieceTrainer.train(
            sentence_iterator=(line for text in texts for line in text.splitlines() if line),
            model_writer=content,
            vocab_size=vocabulary,
            model_type="bpe",
            byte_fallback=True,
            character_coverage=coverage,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            max_sentence_length=100_000,
            minloglevel=2,
        )


def english() -> Iterator[str]:
    """Prose and code: the sources of Python's library."""
    size = 0.0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8").encode("ascii", "ignore").decode()
        yield text
        size += megabytes([text])
        if size > ENGLISH_MEGABYTES:
            return


def merged_pieces(base: Path, train: Sequence[str], held_out: Sequence[str], size: int) -> float | None:
    """Characters per token when `size` pieces learned separately stand behind those of `base`, with score 0."""
    proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString(base.read_bytes())
    known = {piece.piece for piece in proto.pieces}
    other = learned_pieces(base.with_name(f"{size}.model"), train, size + 500)
    new = [piece for piece in other if piece not in known][:size]
    if not new:
        return None
    for piece in new:
        proto.pieces.add(piece=piece, score=0.0)
    tokenizer = SentencePieceProcessor(model_proto=proto.SerializeToString())
    return sum(map(len, held_out)) / sum(len(tokenizer.encode(text)) for text in held_out)


def learned_pieces(path: Path, train: Sequence[str], vocabulary: int) -> list[str]:
    """Pieces of a SentencePiece model with as many of the text's characters as fit in; none if too few do."""
    for coverage in (0.9995, 0.99, 0.98):  # less is refused
        try:
            train_sentencepiece(train, path, vocabulary, coverage)
        except RuntimeError:  # more characters than pieces
            continue
        proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        proto.ParseFromString(path.read_bytes())
        return [piece.piece for piece in proto.pieces if piece.type == 1]
    return []


def characters_per_token(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    tokens = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False))
    return sum(map(len, texts)) / tokens


def used(base: Tokenizer, extended: Tokenizer, texts: Sequence[str]) -> Mapping[str, int]:
    """How many of the new tokens the text that they were learned from uses."""
    found = {number for encoding in extended.encode_batch(texts) for number in encoding.ids}
    first = max(base.get_vocab().values()) + 1
    return {"new_tokens": extended.get_vocab_size() - base.get_vocab_size(), "used": sum(n >= first for n in found)}


def program_cost(base_model: Path, train: Sequence[str], held_out: Sequence[str], work: Path) -> Mapping[str, float]:
    """What scripts/tokenizer.py takes for `MEASURED` tokens, start and report included."""
    corpus = work / "corpus"
    shards = {"train": train, "validation": held_out}
    for split_name, texts in shards.items():
        path = corpus / split_name / "text" / "0000.parquet"
        path.parent.mkdir(parents=True)
        pl.DataFrame({"text": texts}).write_parquet(path, row_group_size=2000)
    facts = {name: [f"{name}/text/0000.parquet"] for name in shards}
    write_json(corpus / "manifest.json", {"facts": facts})
    program = [sys.executable, PROJECT / "scripts" / "tokenizer.py", "--settings", f'{{"new_tokens": {MEASURED}}}']
    where = ["--base-model", base_model / "manifest.json", "--corpus", corpus / "manifest.json"]
    command = [*program, *where, "--output", work / "tokenizer" / "manifest.json"]
    cost = cost_of([command], {"TOKENIZERS_PARALLELISM": "true"})
    return {
        "seconds": round(cost.wall_seconds, 1),
        "processor_seconds": round(cost.seconds, 1),
        "megabytes": round(cost.megabytes),
    }


def compare_speed(base: Tokenizer, extended: Tokenizer, train: Sequence[str]) -> Mapping[str, float]:
    """MB of text per second of processor time; tokenizers are made afresh for each round, so that no cache helps."""
    some = train[:: max(1, round(megabytes(train) / SPEED_MEGABYTES))]
    ways: dict[str, Callable[[], Tokenizer]] = {
        "base": lambda: Tokenizer.from_str(base.to_str()),
        "ours": lambda: Tokenizer.from_str(extended.to_str()),
        "add_tokens": lambda: with_added(base, words(base, extended)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, make in ways.items():
            tokenizer = make()
            start = time.process_time()
            tokenizer.encode_batch_fast(some, add_special_tokens=False)
            seconds[name].append(time.process_time() - start)
    return {name: round(megabytes(some) / median(values), 2) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
