"""Parts of scripts/clean.py by themselves: our_corpus.py {clean,signatures,steps} DIRECTORY SOURCE/SHARD.parquet.

`steps` prints what each step and rule of cleaning takes, in seconds of a processor by name, as JSON.
"""

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from lib.core.outputs import new_file
from lib.corpus.storage.batches import ShardWriter, batches


def main() -> None:
    part, directory, shard = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if part == "steps":
        print(json.dumps(seconds_by_step(directory / "raw" / shard)))
        return
    with ExitStack() as stack:

        def writer(folder: str) -> ShardWriter:
            return stack.enter_context(ShardWriter(stack.enter_context(new_file(directory / folder / shard))))

        if part == "clean":
            clean_shard(directory / "raw" / shard, writer("clean"), writer("dropped"))
        else:
            describe_shard(directory / "clean" / shard, writer("signatures"), writer("lines"))


def clean_shard(path: Path, kept: ShardWriter, dropped: ShardWriter) -> None:
    from lib.corpus.cleaning.clean import clean
    from lib.settings.corpus import CleaningSettings

    for documents in batches(path):
        cleaned = clean(documents, CleaningSettings())
        kept.write(cleaned.kept)
        dropped.write(cleaned.dropped)


def describe_shard(path: Path, signatures: ShardWriter, lines: ShardWriter) -> None:
    from lib.corpus.duplicates.minhash import describe
    from lib.corpus.duplicates.shared_lines import border_lines
    from lib.settings.corpus import SignatureSettings

    for documents in batches(path):
        signatures.write(describe(documents, SignatureSettings()))
        lines.write(border_lines(documents))


def seconds_by_step(path: Path) -> dict[str, float]:
    """Loading of tables and models counts with the step that needs them."""
    from lib.corpus.cleaning.clean import steps
    from lib.corpus.cleaning.filters import LENGTH, RULES, character_shares
    from lib.settings.corpus import CleaningSettings
    from lib.text.hashes import text_hashes
    from lib.text.series import replaced

    settings = CleaningSettings()
    seconds: dict[str, float] = {}
    last = time.process_time()

    def note(name: str) -> None:
        nonlocal last
        now = time.process_time()
        seconds[name] = seconds.get(name, 0) + now - last
        last = now

    for documents in batches(path):
        texts = documents["text"]
        note("read")
        for step in steps(settings):
            hits = texts.str.contains(step.trigger()).arg_true()
            if len(hits):
                texts = replaced(texts, hits, step.rewrite(texts.gather(hits)))
            note(step.name)
        shares = character_shares(texts, settings.target_script)
        note("character_shares")
        for rule in (LENGTH, *RULES):
            if rule.is_on(settings):
                rule.measure(texts, shares, settings)
            note(rule.name)
        text_hashes(texts)
        note("hash")
    return seconds


if __name__ == "__main__":
    main()
