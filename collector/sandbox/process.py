"""A sandbox as a child process that ends with whoever started it, however they end."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from collector.errors import SandboxError


class SandboxProcess:
    """A running sandbox; a context manager, or `start()` and `stop()`.

    Its standard input is a pipe from this process. When this process ends, even by kill -9, the
    system closes the pipe and the sandbox ends too.

    Args:
        seed: which market.
        latency_s: mean seconds until an answer.
        day: a fixed day; None lets requests choose by the header `x-sandbox-day`.
        port: 0 takes a free one.
        faults: rates as on the command line, `429=0.05,500=0.1`.
        recordings: serve this folder of recorded pages.
        username: of basic auth.
        password: of basic auth.
        options: further options of the command line by their names there, without dashes in
            front: `{"list-length": 20}`.
        deadline_s: how long it may take to start.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        latency_s: float = 0.15,
        day: int | None = None,
        port: int = 0,
        faults: str = "",
        recordings: Path | None = None,
        username: str = "sandbox",
        password: str = "sandbox",  # noqa: S107 - the sandbox guards nothing
        options: dict[str, object] | None = None,
        deadline_s: float = 20,
    ) -> None:
        chosen: dict[str, object | None] = {
            "seed": seed,
            "latency": latency_s,
            "day": day,
            "port": port,
            "faults": faults or None,
            "recordings": recordings,
            "username": username,
            "password": password,
            **(options or {}),
        }
        # `--name=value`: a value may begin with a dash.
        self._arguments = [
            f"--{name}={value}" for name, value in chosen.items() if value is not None
        ]
        self._deadline_s = deadline_s
        self._child: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The address of the realtime endpoint."""
        return self._url

    @property
    def base_url(self) -> str:
        """The address below which `/_sandbox/…` stands."""
        return self._url.removesuffix("/v1/queries")

    @property
    def pid(self) -> int | None:
        """The process id, None where none runs."""
        return self._child.pid if self._child else None

    @property
    def is_running(self) -> bool:
        """Whether it runs now: started, not stopped, and not dead for another reason."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> str:
        """Start it, wait until it listens, and return its URL.

        Raises:
            SandboxError: it did not start; the message is its own last line.
        """
        # A file and not a pipe: nobody would read the pipe, and a full one stops its writer.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "collector.sandbox", "--with-parent", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Ctrl-C and a kernel's interrupt go to the whole group; the requests in flight
            # shall still be answered.
            start_new_session=True,
        )
        line = self._first_line()
        try:
            self._url = json.loads(line)["url"]
        except (ValueError, LookupError) as exc:
            reason = self._last_error()
            self.stop()
            raise SandboxError(reason) from exc
        return self._url

    def _first_line(self) -> bytes:
        child, lines = self._child, queue.Queue[bytes]()
        if child is None or child.stdout is None:
            return b""
        stream = child.stdout
        threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
        try:
            return lines.get(timeout=self._deadline_s)
        except queue.Empty:
            child.kill()
            # The reader sees the end of the pipe now, and lets go of it.
            lines.get()
            return b""

    def _last_error(self) -> str:
        if self._child is not None:
            self._child.wait()
        said = ""
        if self._errors is not None:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
        if not said:
            return f"The sandbox did not start within {self._deadline_s:g} seconds: try again."
        return said.splitlines()[-1]

    def stop(self) -> None:
        """End it, if it runs."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(BrokenPipeError):
                if child.stdin is not None:
                    child.stdin.close()
            try:
                child.wait(timeout=3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
