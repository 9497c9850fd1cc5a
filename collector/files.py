"""Where a file that goes out is put: checked first, written beside, then moved into its place."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from collector.errors import ExportError


def target_of(path: Path, name: str) -> Path:
    """The file that `path` means: itself, or `name` in the folder that it is.

    Raises:
        ExportError: the folder does not exist or cannot be written to.
    """
    try:
        path = path.expanduser().resolve()
        target = path / name if path.is_dir() else path
        is_folder = target.parent.is_dir()
    except (OSError, RuntimeError, ValueError) as exc:
        raise ExportError(f"{str(path)!r} cannot be a file name: choose another one.") from exc
    if not is_folder:
        raise ExportError(f"There is no folder {target.parent}: create it or choose another one.")
    if not os.access(target.parent, os.W_OK):
        raise ExportError(f"The folder {target.parent} is not writable: choose another one.")
    return target


def part_of(target: Path) -> Path:
    """A new name beside the target, for a file that is not whole yet."""
    return target.with_name(f".{uuid4().hex}.part")


def cannot_write(target: Path, exc: OSError) -> ExportError:
    """What to tell when writing a file failed."""
    reason = exc.strerror or str(exc) or type(exc).__name__
    return ExportError(
        f"{target} could not be written: {reason}. Free some space or choose another place."
    )
