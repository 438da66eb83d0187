"""Files in object stores (s3:, gs:), by way of fsspec and the package for the store, where they are installed."""

import re
from pathlib import Path

from lib.core.errors import UserError
from lib.sources.download import Report

PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}


def fetch_objects(uri: str, destination: Path, report: Report | None = None) -> dict[str, Path]:
    """Local paths of the object, of all objects below a folder, or of those that a glob pattern fits, by their names.

    They are downloaded into `destination` under names of our own; what is there already is not downloaded again.
    Credentials are those that the package for the store finds.
    """
    scheme = uri.partition(":")[0].lower()
    try:
        import fsspec

        files, path = fsspec.core.url_to_fs(uri)
    except ImportError:
        raise UserError(f"{uri}: {scheme}: addresses need a package: pip install {PACKAGES[scheme]}") from None
    pattern = bool(set(path) & set("*["))
    try:
        found = [name for name in files.glob(path) if files.isfile(name)] if pattern else files.find(path)
    except Exception as error:  # each store's own errors
        raise UserError(f"{uri}: cannot be read: {' '.join(str(error).split())}") from None
    if not found:
        raise UserError(f"{uri} does not exist or holds no files, or your credentials do not show it")
    # What all names have in common is left out of them.
    folder = path.rstrip("/") if found != [path] and not pattern else re.split(r"[*[]", path)[0].rpartition("/")[0]
    fetched = {}
    for number, name in enumerate(sorted(found)):
        safe = re.sub(r"[^\w.+-]", "_", name.rpartition("/")[2])
        target = destination / f"{number:08d}-{safe}"
        if not target.exists():
            if report:
                report(f"{number + 1:,} of {len(found):,} files")
            _download(uri, files, name, target)
        fetched[name.removeprefix(f"{folder}/")] = target
    return fetched


def _download(uri: str, files: object, name: str, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.get_file(name, str(partial))  # type: ignore[attr-defined]
    except Exception as error:  # each store's own errors
        partial.unlink(missing_ok=True)
        raise UserError(f"{uri}: cannot download {name}: {' '.join(str(error).split())}") from None
    partial.replace(target)
