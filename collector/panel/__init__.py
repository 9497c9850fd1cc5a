"""The panel: what people look at while a run goes on. Alone in importing ipywidgets and anywidget.

It is given streams, values and callbacks, and knows neither the collection service nor the store.
"""

from collector.estimate import Estimate
from collector.panel.launcher import Launcher
from collector.panel.launching import LaunchChoice, Presets
from collector.panel.live import LivePanel, RunControls, RunFeed

__all__ = [
    "Estimate",
    "LaunchChoice",
    "Launcher",
    "LivePanel",
    "Presets",
    "RunControls",
    "RunFeed",
]
