"""Training for a few steps in memory, without checkpoints: for comparing models, not for making one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle

import torch
from transformers import PreTrainedModel, get_scheduler, set_seed

from lib.models.compute import Precision, arithmetic
from lib.settings.training import TrainingSettings
from lib.training.adapters import make_trainable
from lib.training.layers.label_loss import use_label_loss
from lib.training.optimizers import make_optimizer


def blocks(
    texts: Iterable[str], encode: Callable[[str], list[int]], between: Sequence[int], size: int
) -> Iterator[list[int]]:
    """Token ids of `texts`, read in a circle without end, each behind the tokens `between`, in blocks of `size`."""
    buffer: list[int] = []
    for text in cycle(texts):
        buffer += [*between, *encode(text)]
        while len(buffer) >= size:
            yield buffer[:size]
            buffer = buffer[size:]


def train_briefly(
    model: PreTrainedModel,
    rows: Iterator[list[int]],
    steps: int,
    settings: TrainingSettings,
    new_token_ids: Sequence[int],
    precision: Precision,
    seed: int,
    after_step: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train `model`, in place, as stage 1 would for `steps` steps of blocks taken from `rows`.

    The learning rate follows `settings.schedule` over these steps. `after_step` hears of each step and of its mean loss
    in nats per token; it may score the model.
    """
    set_seed(seed)
    use_label_loss(model)
    trained = make_trainable(model, settings, new_token_ids, "pretrain")
    parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    optimizer = make_optimizer(trained, settings)
    has_decay = settings.schedule == "warmup_stable_decay"
    schedule = get_scheduler(
        settings.schedule,
        optimizer,
        num_warmup_steps=round(settings.warmup_ratio * steps) if settings.schedule != "constant" else 0,
        num_training_steps=steps,
        scheduler_specific_kwargs={"num_decay_steps": round(settings.decay_ratio * steps)} if has_decay else {},
    )
    for step in range(steps):
        trained.train()
        total = 0.0
        for _ in range(settings.gradient_accumulation):
            ids = torch.tensor([next(rows) for _ in range(settings.batch_size)], device=model.device)
            with arithmetic(precision, model.device):
                loss = trained(input_ids=ids, labels=ids).loss
            loss = loss / (ids[:, 1:].numel() * settings.gradient_accumulation)
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        after_step(step + 1, total)
