"""Upload a finished model to a hub of models, with its card.

Usage:
    python scripts/push.py --model results/sft_model --repo me/my-model --dry-run
    HF_TOKEN=… python scripts/push.py --model results/sft_model --repo me/my-model

The token comes from the environment (HF_TOKEN), and so does the hub, where it is not huggingface.co (HF_ENDPOINT). The
repository is private unless --public is given. With --dry-run, nothing is sent.
"""

import os
from pathlib import Path

from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from lib.core.code_version import code_version
from lib.core.errors import UserError
from lib.core.manifest import MADE_WITH, NAME
from lib.core.outputs import read_json, sha256_file
from lib.core.program import program_parser, run, say

TOKEN = "HF_TOKEN"
CARD = "README.md"


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="directory of the finished model")
    parser.add_argument("--repo", required=True, help="name of the repository: OWNER/NAME")
    parser.add_argument("--public", action="store_true", help="let everybody see the repository")
    parser.add_argument("--dry-run", action="store_true", help="say what would be uploaded, and send nothing")
    args = parser.parse_args()
    files = checked_files(args.model)
    try:
        validate_repo_id(args.repo)
    except HFValidationError as error:
        raise UserError(f"--repo {args.repo}: {error}") from None
    for file in files:
        say(f"push: {file.relative_to(args.model)} ({file.stat().st_size:,} bytes)")
    if args.dry_run:
        say(f"push: these {len(files)} files would be uploaded to {args.repo}; nothing was sent")
        return
    if not os.environ.get(TOKEN):
        raise UserError(f"set {TOKEN} to a token of the hub that may write; it is never stored")
    try:
        say(f"push: {upload(args.model, files, args.repo, is_private=not args.public)}")
    except (HfHubHTTPError, ValueError) as error:
        raise UserError(f"the hub refused {args.repo}: {' '.join(str(error).split())}") from None


def checked_files(model: Path) -> list[Path]:
    """The files of the model in order; UserError unless they are those of its manifest, and the card can be read.

    The card may have been edited: a hub may not know the base model or a data set by the name that it has here.
    """
    if not model.is_dir():
        raise UserError(f"{model} does not exist; `make run` makes it")
    described = read_json(model / NAME)["files"]
    for name, facts in described.items():
        if name != CARD and (not (model / name).is_file() or sha256_file(model / name) != facts["sha256"]):
            raise UserError(f"{model / name} is not the file that {NAME} describes; run again, then push")
    try:
        ModelCard.load(model / CARD)
    except (ValueError, OSError) as error:
        raise UserError(f"{model / CARD} is no model card: {error}") from None
    own = [name for name in (MADE_WITH, NAME) if (model / name).is_file()]
    return [model / name for name in sorted([*described, *own])]


def upload(model: Path, files: list[Path], repo: str, is_private: bool) -> str:
    """Upload the files in one commit; returns its address."""
    hub = HfApi(token=os.environ[TOKEN])
    hub.create_repo(repo, private=is_private, exist_ok=True)
    commit = hub.upload_folder(
        repo_id=repo,
        folder_path=model,
        allow_patterns=[file.relative_to(model).as_posix() for file in files],
        commit_message=f"Upload a model made by {code_version()}",
    )
    return str(commit.commit_url)


if __name__ == "__main__":
    run(main)
