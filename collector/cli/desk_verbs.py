"""Verbs that start a server in the foreground: `sandbox`, `lab` and `serve`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from shlex import quote as quoted
from typing import Annotated
from urllib.parse import quote

import typer

from collector.cli.terms import say
from collector.errors import UsageError

FIRST_NOTEBOOK = "01_launch_run.ipynb"


def add_to(app: typer.Typer) -> None:
    """Add these verbs."""
    for verb in (sandbox, lab, serve):
        app.command()(verb)


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Which market.")] = 1,
    day: Annotated[
        int | None, typer.Option(min=0, help="The market's day; by default each request's.")
    ] = None,
    latency: Annotated[
        float, typer.Option(min=0, max=600, help="Mean seconds until an answer.")
    ] = 0.15,
    faults: Annotated[
        str, typer.Option(metavar="KIND=RATE,…", help="Such as 429=0.05,500=0.1 or all=0.3.")
    ] = "",
    timeout_s: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds the fault `timeout` holds on.")
    ] = 200,
    rate_limit: Annotated[
        int, typer.Option(min=0, help="Jobs a second before 429; 0 for no limit.")
    ] = 0,
    list_length: Annotated[
        int, typer.Option(min=2, max=100, help="Places of a best-seller list.")
    ] = 60,
    page_cap: Annotated[
        int, typer.Option(min=1, max=240, help="Most listings on a page of a search.")
    ] = 24,
    page_kb: Annotated[
        int, typer.Option(min=0, max=20_000, help="Pad search pages to this many kilobytes.")
    ] = 0,
    recordings: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Serve these recorded pages instead.")
    ] = None,
    username: Annotated[str, typer.Option(help="User of basic auth.")] = "sandbox",
    password: Annotated[str, typer.Option(help="Password of basic auth.")] = "sandbox",  # noqa: S107 - it guards nothing
) -> None:
    """Serve the Oxylabs API over an invented market, until Ctrl-C."""
    from collector.sandbox.faults import parse_faults
    from collector.sandbox.options import SandboxOptions
    from collector.sandbox.server import serve

    options = SandboxOptions(
        port=port,
        seed=seed,
        day=day,
        latency_s=latency,
        faults=parse_faults(faults),
        timeout_s=timeout_s,
        rate_limit=rate_limit,
        list_length=list_length,
        page_cap=page_cap,
        page_kb=page_kb,
        recordings=recordings,
        username=username,
        password=password,
    )

    def announce(url: str, _: int) -> None:
        print(f"The sandbox listens on {url} (Ctrl-C ends it). In another terminal:")
        credentials = f"OXYLABS_USERNAME={quoted(username)} OXYLABS_PASSWORD={quoted(password)}"
        print(f"  export OXYLABS_URL={url} {credentials}")
        print("  collector run", flush=True)

    async def until_told_to_end() -> None:
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await serve(options, announce=announce, stop=stop)

    asyncio.run(until_told_to_end())


def lab(
    notebook: Annotated[
        Path | None,
        typer.Argument(metavar="[NOTEBOOK]", help=f"By default {FIRST_NOTEBOOK}."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The next free one is taken where it is used.")
    ] = 8888,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
) -> None:
    """Open JupyterLab on a notebook, in this Python's environment."""
    folder, name = _place_of(notebook)
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{quote(name)}",
        f"--ServerApp.port={port}",
        *([] if browser else ["--no-browser"]),
        # Jupyter refuses root unless told; whoever is root in a container has no choice.
        *(["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else []),
    ]
    # Beside the user's own settings: no question about news before the notebook shows.
    config = Path(__file__).with_name("lab_config")
    paths = [str(config), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment = {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    print(f"JupyterLab opens {folder / name}; Ctrl-C ends it.", flush=True)
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8899,
    ip: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Where to listen; by default only this machine can connect."
        ),
    ] = "127.0.0.1",
) -> None:
    """Serve runs and their live activity over HTTP, without JupyterLab, until Ctrl-C."""
    from collector.server import standing_alone

    def announce(address: str, token: str | None) -> None:
        print(f"Runs are served on {address} (Ctrl-C ends it).")
        print(f"Token: {token or 'the one in JUPYTER_TOKEN'}")
        print(f"A run's page: {address}/RUN/?token=TOKEN")
        print(f"Its stream:   {address}/RUN/activity", flush=True)
        if not standing_alone.is_loopback(ip):
            say("Whoever reaches this port and has the token sees every run.")

    standing_alone.serve(ip=ip, port=port, announce=announce)


def _place_of(notebook: Path | None) -> tuple[Path, str]:
    if notebook is not None:
        found = notebook.expanduser().resolve()
        if not found.is_file():
            raise UsageError(f"There is no notebook {notebook}: give the path of one.")
        return found.parent, found.name
    beside_package = Path(__file__).resolve().parents[2] / "notebooks"
    for folder in (beside_package, Path.cwd() / "notebooks", Path.cwd()):
        if (folder / FIRST_NOTEBOOK).is_file():
            return folder, FIRST_NOTEBOOK
    raise UsageError(
        f"{FIRST_NOTEBOOK} is not here: go to the project's folder, or name a notebook."
    )
