"""Files on the Hugging Face hub: those of a model, of a data set, or one of either."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from lib.core.errors import UserError
from lib.sources.data_sets import choose_files, matching

T = TypeVar("T")

# What a directory address takes from the hub. Weights in pickle (.bin, .pt, .pth, .ckpt) can run code, so never those;
# Meta's own are an exception, since nothing but tensors is read out of them.
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "README.md", "consolidated.*.pth")
MODEL_DUPLICATES = ("*/*", "consolidated*.safetensors")  # the same weights again, in other formats
DATASET_FILES = ("*.json", "*.jsonl", "*.csv", "*.tsv", "*.parquet", "*.txt", "*.gz", "*.bz2", "*.xz", "*.zst", "*.md")
PICKLE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz")


@dataclass(frozen=True)
class HubAddress:
    repository: str
    revision: str
    path: PurePosixPath | None
    """A file, or a pattern of files of a data set."""
    config: str = ""
    split: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it names one file."""
        return self.path is not None and not set(str(self.path)) & set("*[")


def fetch_from_hub(uri: str, address: HubAddress) -> Path:
    """A file or snapshot in the user's hub cache. HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE and HF_HUB_OFFLINE hold."""
    path = address.path
    if path is not None and path.suffix.lower() in PICKLE:
        raise UserError(f"{uri}: files of this kind can run code when they are loaded; name a safetensors or GGUF file")
    from huggingface_hub import hf_hub_download, snapshot_download

    def fetched(kind: str) -> Path:
        if path is not None:
            return Path(hf_hub_download(address.repository, str(path), repo_type=kind, revision=address.revision))
        patterns, ignored = (MODEL_FILES, MODEL_DUPLICATES) if kind == "model" else (DATASET_FILES, ())
        snapshot = snapshot_download(
            address.repository,
            repo_type=kind,
            revision=address.revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(ignored),
        )
        return Path(snapshot)

    return _of_either_kind(uri, address, ("model", "dataset"), fetched)


def fetch_data_set(uri: str, address: HubAddress, default_split: str) -> dict[str, str]:
    """Paths in the user's hub cache, by name, of a data set's files: of its config and split, or those of a pattern.

    `default_split` holds where the address names neither a split nor a pattern.
    """
    from huggingface_hub import HfApi, errors, metadata_load, snapshot_download

    def fetched(kind: str) -> dict[str, str]:
        def download(patterns: list[str] | None = None, from_cache: bool = False) -> Path:
            return Path(
                snapshot_download(
                    address.repository,
                    repo_type=kind,
                    revision=address.revision,
                    allow_patterns=patterns,
                    local_files_only=from_cache,
                )
            )

        try:
            names = HfApi().list_repo_files(address.repository, repo_type=kind, revision=address.revision)
        except errors.HfHubHTTPError:
            raise
        except Exception:  # without a network, what the cache holds
            folder = download(from_cache=True)
            names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        if address.path is not None:
            chosen = matching(names, str(address.path))
            if address.config or address.split:
                chosen = choose_files(uri, chosen, None, address.config, address.split)
        else:
            card = {}
            if "README.md" in names:
                card = metadata_load(download(["README.md"]) / "README.md") or {}
            chosen = choose_files(uri, names, card.get("configs"), address.config, address.split or default_split)
        chosen = [name for name in chosen if PurePosixPath(name).suffix.lower() not in PICKLE]
        if not chosen:
            raise UserError(f"{uri}: {address.repository} has no such files")
        folder = download([glob.escape(name) for name in chosen])
        return {name: str(folder / name) for name in sorted(chosen)}

    return _of_either_kind(uri, address, ("dataset", "model"), fetched)


def _of_either_kind(uri: str, address: HubAddress, kinds: Sequence[str], attempt: Callable[[str], T]) -> T:
    """What `attempt` finds in the repository of the first of these kinds that is there; UserError that says why not."""
    from huggingface_hub import errors
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    repository, revision = address.repository, address.revision
    reason = ""
    for kind in kinds:
        try:
            return attempt(kind)
        except UserError:
            raise
        except errors.GatedRepoError:
            raise UserError(
                f"{uri}: the owner of {repository} asks for consent first; give it on the model's page, "
                "and set HF_TOKEN to a token of that account"
            ) from None
        except errors.RevisionNotFoundError:
            raise UserError(f"{uri}: {repository} has no revision {revision}") from None
        except errors.RemoteEntryNotFoundError:
            raise UserError(f"{uri}: {repository} has no file {address.path} at revision {revision}") from None
        except errors.RepositoryNotFoundError:
            reason = reason or f"there is no model or data set {repository} that this account can see"
        except errors.LocalEntryNotFoundError:
            reason = reason or "the hub cannot be reached, and the local cache does not hold all of it"
        except Exception as error:  # the HTTP client's own errors among them
            raise UserError(f"{uri}: the download failed: {' '.join(str(error).split())}") from None
    raise UserError(f"{uri}: {reason}")
