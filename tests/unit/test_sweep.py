"""The table and the picture of the sweep."""

from pathlib import Path
from typing import Any

import sweep as program


def measured(size: int, bits: float) -> dict[str, Any]:
    """What `sweep_size` writes."""
    points = [
        {"step": step, "bits_per_character": bits - step / 10, "characters_per_token": 0.5 + size / 1000}
        for step in (0, 10)
    ]
    return {"new_tokens": size, "parameters_added": 64 * size, "training_tokens": 320, "curve": points}


def test_rows_are_in_the_order_of_size_and_hold_both_ends_of_training(tmp_path: Path) -> None:
    table = program.sweep_table([measured(500, 8.5), measured(0, 9.0)])
    assert table.to_dict("records") == [
        {
            "new_tokens": size,
            "parameters_added": 64 * size,
            "characters_per_token": characters,
            "bits_per_character_extended": bits,
            "bits_per_character_trained": bits - 1,
            "steps": 10,
            "training_tokens": 320,
        }
        for size, characters, bits in ((0, 0.5, 9.0), (500, 1.0, 8.5))
    ]
    pictures = [tmp_path / name for name in ("one.svg", "two.svg")]
    for picture in pictures:
        program.draw(table, picture)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
