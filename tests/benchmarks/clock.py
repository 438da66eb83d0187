"""How long the steps of a training run take. Imports nothing of this project, as peers use it too."""

import json
import time
from typing import Any

from transformers import TrainerCallback

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK, ALPHA, LEARNING_RATE = 16, 32, 2e-4


class Clock(TrainerCallback):
    """Counts from the start of the first step to the end of the last."""

    def on_train_begin(self, args: Any = None, state: Any = None, control: Any = None, **kwargs: Any) -> None:
        self.started = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any = None, state: Any = None, control: Any = None, **kwargs: Any) -> None:
        seconds, processor_seconds = (
            end - start for end, start in zip((time.perf_counter(), time.process_time()), self.started, strict=True)
        )
        self.taken = {"seconds": round(seconds, 3), "processor_seconds": round(processor_seconds, 3)}

    def report(self) -> None:
        """Print what was counted as the last line."""
        print(json.dumps(self.taken), flush=True)
