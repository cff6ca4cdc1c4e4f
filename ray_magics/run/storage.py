"""Where runs of Ray's libraries are kept: a folder, or a URI, with a folder for each run."""

from __future__ import annotations

import os
import time

from ..errors import UsageError

DEFAULT = "~/ray_results"  # of Ray


def absolute_storage(path: str) -> str | None:
    """As Ray wants it, absolute or a URI; None for "", its default."""
    if not path or "://" in path:
        return path or None
    return os.path.abspath(os.path.expanduser(path))


def storage_of(path: str) -> str:
    """The same, with Ray's default."""
    return absolute_storage(path) or os.path.expanduser(DEFAULT)


def run_path(storage: str, name: str) -> str:
    """The folder of the run `name` in the storage of that path."""
    return f"{storage_of(storage).rstrip('/')}/{name}"


def new_name(storage: str, base: str) -> str:
    """``train_2026-11-21_06-10-11``; a name that is taken already gets a number."""
    name = first = f"{base}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    number = 1
    while os.path.exists(run_path(storage, name)):
        number += 1
        name = f"{first}_{number}"
    return name


def names_of(storage: str, base: str) -> list[str]:
    """The runs in a local storage whose names `new_name` made of this base, the newest first."""
    folder = storage_of(storage)
    if "://" in folder:
        raise UsageError("--resume needs --name NAME with a storage that is no local folder.")
    names = sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else []
    return [name for name in names if name.startswith(f"{base}_20")]


def check_storage(path: str) -> None:
    """A folder that cannot be written is an error now, not when the first result is. Raises UsageError."""
    if not path or "://" in path:
        return
    folder = os.path.abspath(os.path.expanduser(path))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise UsageError(f"--storage-path: {folder} is a file, not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--storage-path: {path} cannot be written ({folder} is read-only for this user).")


def check_name(name: str | None, example: str) -> None:
    """Raises UsageError for what is no name of a folder."""
    if name is not None and (os.sep in name or name in ("", ".", "..")):
        raise UsageError(f'--name: "{name}" is not a name of a folder; try --name {example}')


def shorten_path(path: str) -> str:
    """As people write it: ``runs/train`` below the folder of the notebook, ``~/ray_results/train`` below the home."""
    home, here = os.path.expanduser("~"), os.getcwd()
    if here != home and path.startswith(f"{here}/"):
        return path.removeprefix(f"{here}/")
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") else path
