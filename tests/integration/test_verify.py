"""`make verify` rebuilds a run to the bit, and names what is another."""

import sys

from workspace import Workspace


def test_a_run_is_rebuilt_to_the_bit(done: Workspace) -> None:
    sums = done.root / "results" / "evaluation" / "parts.tsv"
    good = sums.read_bytes()
    sums.write_bytes(good + b"\n")
    finished = done.run(sys.executable, "scripts/verify.py", "--cores", "2")
    assert finished.status == 1, finished.output
    problems = [line for line in finished.output.splitlines() if ": " in line and line.startswith("evaluation/")]
    assert problems == [
        f"evaluation/parts.tsv: {len(good) + 1:,} and {len(good):,} bytes, which differ from byte {len(good):,} on"
    ]
    assert "verify: 1 of " in finished.output
    assert (done.root / "runs" / "demo-verify" / "results" / "sft_model" / "manifest.json").is_file()
