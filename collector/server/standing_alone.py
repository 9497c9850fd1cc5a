"""A Jupyter Server that serves runs and nothing else: no kernels, no files, no terminals."""

from __future__ import annotations

import errno
import ipaddress
import os
import secrets
import signal
from collections.abc import Callable
from types import FrameType

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.netutil import bind_sockets
from traitlets import Bool

from collector.errors import UsageError
from collector.server.extension import CollectorServer

TOKEN_VARIABLE = "JUPYTER_TOKEN"  # noqa: S105 - the name of a variable


class NoFiles(AsyncLargeFileManager):
    """Serves no file of the folder that it was started in."""

    def get_extra_handlers(self) -> list[tuple[object, ...]]:
        """None: not /files either."""
        return []


class RunsOnlyServer(ServerApp):
    """Jupyter Server with its logins and without its services."""

    default_services = ("auth",)  # type: ignore[assignment]
    # It would hold the token.
    no_browser_open_file = Bool(True)

    def init_signal(self) -> None:
        """End at the first Ctrl-C, whatever is under way when it comes.

        Without a terminal Jupyter leaves it to Python, which makes an exception of it; where that
        meets a destructor it is lost.
        """
        super().init_signal()
        signal.signal(signal.SIGINT, self._end)

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        # A second one ends what does not end.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.stop(from_signal=True)

    def init_server_extensions(self) -> None:
        """Load the collector's, whatever else is enabled in this environment."""
        self.jpserver_extensions = {"collector": True}
        super().init_server_extensions()


class StandaloneServer(CollectorServer):
    """The extension, launched by itself."""

    serverapp_class = RunsOnlyServer


def serve(*, ip: str, port: int, announce: Callable[[str, str | None], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        ip: the address to listen on.
        port: 0 takes a free one.
        announce: is told the address, and the token unless the environment gave it.

    Raises:
        UsageError: nothing can listen there.
    """
    _check(ip, port)
    given = os.environ.get(TOKEN_VARIABLE)
    token = given or secrets.token_hex(24)
    # As arguments, which win over whatever Jupyter's configuration files say. They stay within
    # this process: no list of processes shows the token.
    arguments = [
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.contents_manager_class={__name__}.NoFiles",
        "--ServerApp.extra_services=[]",
        "--ServerApp.open_browser=False",
        "--ServerApp.answer_yes=True",
        "--ServerApp.allow_root=True",
        "--ServerApp.allow_unauthenticated_access=False",
        "--ServerApp.log_level=WARN",
        f"--IdentityProvider.token={token}",
    ]
    server = StandaloneServer.initialize_server(argv=arguments)  # type: ignore[no-untyped-call]
    shown = f"[{server.ip}]" if ":" in server.ip else server.ip
    scheme = "https" if server.certfile else "http"
    address = f"{scheme}://{shown}:{server.port}{server.base_url}collector/runs"
    announce(address, None if given else token)
    server.start()


def is_loopback(ip: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"


def _check(ip: str, port: int) -> None:
    """Try the address: Jupyter would end the process with a line of its own."""
    try:
        sockets = bind_sockets(port, ip)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            reason = f"Port {port} is taken: choose another one, or 0 for any free one."
        else:
            reason = f"Nothing can listen on {ip}, port {port} ({exc.strerror}): choose another."
        raise UsageError(reason) from exc
    for sock in sockets:
        sock.close()
