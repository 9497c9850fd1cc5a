"""A local server that speaks the Oxylabs realtime protocol over an invented market.

`market` knows who sells what on which day, `pages` writes that down as the real pages would,
`server` answers requests, `process` starts it all as a process of its own. Everything in it is
invented here, except what `--recordings` is given to serve. Start it by `collector sandbox`, by
`python -m collector.sandbox`, or in code by `collector.sandbox.process.SandboxProcess`.
"""

from __future__ import annotations
