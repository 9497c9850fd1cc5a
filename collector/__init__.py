"""A JupyterLab workbench that finds the eBay sellers who resell Amazon best-sellers."""

from __future__ import annotations

__version__ = "0.1.0"
