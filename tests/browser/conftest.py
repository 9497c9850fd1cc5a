"""A real JupyterLab in a real Chromium, with folders of its own: nothing of the user's is touched.

JupyterLab is started once a session, Chromium once a module (its sync driver keeps an event loop
running, which tests of other kinds must not meet). Without Chromium these tests skip by name.
Screenshots go to the folder that `COLLECTOR_SCREENSHOTS` names, if any.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import Desk, Lab
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAB_STARTS_WITHIN_S = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("Chromium is not installed: install chromium to run the browser tests")
    return found


@pytest.fixture(scope="session")
def lab(
    chromium_path: str, tmp_path_factory: pytest.TempPathFactory, short_directory: Path
) -> Iterator[Lab]:
    """A JupyterLab on a free port, its root a copy of the project's notebooks."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "root"
    shutil.copytree(REPOSITORY / "notebooks", root)
    folders = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
        "COLLECTOR_HOME": short_directory / "lab",
    }
    # The kernels import the project's tests' scripted run, and the project as it stands.
    path = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
    environment = {
        **os.environ,
        **{name: str(folder) for name, folder in folders.items()},
        "PYTHONPATH": path,
    }
    _settle_questions(folders["JUPYTERLAB_SETTINGS_DIR"])
    port, token = _free_port(), secrets.token_hex(16)
    log = (home / "lab.log").open("w")
    command = [
        sys.executable,
        *("-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"),
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
    ]
    process = subprocess.Popen(
        command, env=environment, cwd=root, stdout=log, stderr=subprocess.STDOUT
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(f"{url}/api/status?token={token}", process, home / "lab.log")
        yield Lab(url=url, token=token, root=root, environment=environment)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        # The PostgreSQL that comes along outlives the kernels that started it.
        subprocess.run(
            [sys.executable, "-m", "collector.cli", "db", "stop"],
            env=environment,
            check=True,
            capture_output=True,
        )


def _settle_questions(settings: Path) -> None:
    """JupyterLab asks about news on its first start; here nobody answers."""
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    answers = {"fetchNews": "false", "checkForUpdates": False}
    (folder / "notification.jupyterlab-settings").write_text(json.dumps(answers))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LAB_STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """A Chromium with a new profile."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser context of its own: cookies and storage of nobody else."""
    made = chromium.new_context(viewport={"width": 1280, "height": 1000})
    yield made
    made.close()


@pytest.fixture
def desk(lab: Lab, context: BrowserContext) -> Desk:
    """A page in front of JupyterLab."""
    return Desk.at(lab, context)


@pytest.fixture
def shot() -> Callable[..., None]:
    """Take a screenshot of an element, where `COLLECTOR_SCREENSHOTS` names a folder."""
    folder = os.environ.get("COLLECTOR_SCREENSHOTS")

    def take(page: Page, name: str, selector: str = ".clp-live") -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.locator(selector).first.screenshot(path=Path(folder) / f"{name}.png")

    return take
