"""A JupyterLab workbench that finds the eBay sellers who resell Amazon best-sellers.

`Workbench.open()` is the way in; everything that goes wrong on purpose is a `CollectorError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.errors import CollectorError
from collector.models import RunOptions

if TYPE_CHECKING:
    from collector.workbench import Run, Workbench

__all__ = ["CollectorError", "Run", "RunOptions", "Workbench", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Lazy: a terminal's `--help` must not wait for pandas.
    if name in {"Run", "Workbench"}:
        from collector import workbench

        return getattr(workbench, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    # Jupyter Server asks this of every package that is enabled as an extension.
    from collector.server.extension import CollectorServer

    return [{"module": "collector.server", "app": CollectorServer}]
