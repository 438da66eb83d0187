r"""Measure one model on tasks of lm-eval (EleutherAI's lm-evaluation-harness), which has an environment of its own.

Usage:
    python scripts/lm_eval_tasks.py --tasks ceval-valid --name base --gpu 0 \
        --model results/base_model/manifest.json --adapter --sft-data results/sft_data/manifest.json \
        --output results/evaluation/lm_eval/base.tsv

`--folder` names a folder with tasks of one's own, as lm-eval's YAML files. Writes an item for each question and each
metric of which more is better.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.places import local_path
from lib.core.program import program_parser, run, say
from lib.evaluation.items import Item, write_items
from lib.evaluation.scorer import load_evaluated
from lib.models.compute import arithmetic, pick_device, pick_precision
from lib.models.loading import quiet_libraries
from lib.settings.evaluation import HARNESS

BATCH_SIZE = 8
NOT_INSTALLED = "evaluation.lm_eval needs lm-eval: pip install --no-deps -r envs/requirements-lm-eval.txt"


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--tasks", nargs="+", required=True, help="names of tasks or groups of tasks")
    parser.add_argument("--folder", type=Path, nargs="?", help="folder with tasks of one's own")
    parser.add_argument("--limit", type=int, nargs="?", help="maximum number of questions of each task")
    parser.add_argument("--precision", default="auto", help="number format of matrix products")
    parser.add_argument("--name", required=True, help="name of the model in the results")
    parser.add_argument("--gpu", type=int, default=0, help="GPUs to use; 0 computes on the CPU")
    parser.add_argument("--model", type=Path, required=True, help="manifest.json of the model")
    parser.add_argument("--adapter", type=Path, nargs="?", help="manifest.json of an adapter for the model")
    parser.add_argument("--tokenizer", type=Path, nargs="?", help="manifest.json of the tokenizer without --sft-data")
    parser.add_argument("--sft-data", type=Path, nargs="?", help="manifest.json of the instruction data")
    parser.add_argument("--output", type=Path, required=True, help="table of items to write")
    args = parser.parse_args()
    quiet_libraries()
    os.environ.setdefault("TQDM_DISABLE", "1")  # a line for every few questions, in a log
    # lm-eval imports a package called evaluate, as a program here is called, too.
    sys.path.append(sys.path.pop(0))
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise UserError(f"{NOT_INSTALLED} ({error})") from None

    # As a full path: lm-eval reads it again after the change of folder below.
    folder = str(local_path(str(args.folder)).resolve()) if args.folder else None
    tasks = TaskManager(include_path=folder)
    unknown = [name for name in args.tasks if not tasks.match_tasks([name])]
    if unknown:
        raise UserError(f"settings: evaluation.lm_eval: lm-eval knows no task {', '.join(unknown)}")
    device = pick_device(args.gpu)
    model, tokenizer, _ = load_evaluated(args.model, args.adapter, args.sft_data, args.tokenizer)
    precision = pick_precision(args.precision, device)
    say(f"evaluation: {args.name}: lm-eval measures {', '.join(args.tasks)}")
    # Tasks may name files by paths from the project's folder.
    with chdir(local_path("") if args.folder else "."), arithmetic(precision, device):
        found = simple_evaluate(
            HFLM(pretrained=model.to(device), tokenizer=tokenizer, batch_size=BATCH_SIZE),
            tasks=args.tasks,
            task_manager=tasks,
            limit=args.limit,
            bootstrap_iters=0,
        )
    items = list(harness_items(found))
    if not items:
        raise UserError(f"settings: evaluation.lm_eval: {', '.join(args.tasks)} have no metric of single questions")
    write_items(args.output, items)
    say(f"evaluation: {args.name}: lm-eval measured {len(items)} items")


def harness_items(found: Mapping[str, Any]) -> Iterator[Item]:
    """What lm-eval logged of each question, for every metric that is a number of which more is better."""
    for task, samples in found["samples"].items():
        for metric, higher_is_better in found["higher_is_better"][task].items():
            for sample in samples:
                value = sample.get(metric)
                if higher_is_better and isinstance(value, bool | int | float):
                    yield Item(f"{HARNESS}{task}.{metric}", task, f"{task}:{sample['doc_id']}", float(value))


if __name__ == "__main__":
    run(main)
