"""Conversations that say again what an earlier one says, exactly or nearly.

They are compared as documents of the corpus are, by MinHash signatures of the n-grams of all that is said. The system
prompt counts for exact duplicates alone: many examples share a long one.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from lib.corpus.duplicates.clusters import find_duplicates
from lib.corpus.duplicates.minhash import describe
from lib.settings.corpus import SignatureSettings
from lib.sft.conversations import Conversation

SHORT = 50
"""Conversations of fewer characters are compared for exact repetition only: to change one character changes much of
what they say, and those that are nearly alike all the same (11 + 11, 111 + 111) say different things."""
_CONVERSATIONS_AT_A_TIME = 10_000


def find_repeated(
    conversations: Iterable[Conversation], similarity: float | None, scratch: Path
) -> dict[int, tuple[str, int]]:
    """For the number of each conversation that repeats an earlier one: the rule, and the number of that one.

    The rule is exact_duplicate or near_duplicate; the latter from an estimated Jaccard `similarity` on, or not looked
    for when it is None. `scratch` is an empty directory; signatures wait there, 400 bytes for each conversation.
    """
    files = list(_write_signatures(conversations, scratch))
    if not files:
        return {}
    found = find_duplicates([files], similarity, scratch)
    return {
        number: (rule, original) for number, original, rule in found.select("number", "original", "rule").iter_rows()
    }


def conversation_hash(conversation: Conversation) -> str:
    """SHA-256 of all that a conversation says, as hexadecimal digits."""
    said = conversation.messages("\n\n"), conversation.tools
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _said(conversation: Conversation) -> str:
    return "\n".join(conversation.texts())


def _write_signatures(conversations: Iterable[Conversation], scratch: Path) -> Iterator[Path]:
    iterator = iter(conversations)
    done = 0
    while batch := list(islice(iterator, _CONVERSATIONS_AT_A_TIME)):
        frame = pl.DataFrame(
            {
                "id": [f"conversation:{done + place}" for place in range(len(batch))],
                "text": [text if len(text) >= SHORT else "" for text in map(_said, batch)],
                "hash": [conversation_hash(conversation) for conversation in batch],
            }
        )
        path = scratch / f"signatures_{done:012d}.parquet"
        describe(frame, SignatureSettings()).write_parquet(path)
        yield path
        done += len(batch)
