"""The Jupyter Server extension, asked over HTTP: who may ask, what, and what is answered."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from served import JupyterProcess, WrittenRun, own_database, run_sql
from tornado.web import RequestHandler

from collector.connections import Database
from collector.server.extension import CollectorServer
from collector.server.handlers import CollectorHandler

BASE_URL = "/user/some%20one/"
CONNECTIONS = (
    "SELECT pid FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="module")
def filled(server: Database, template: Database) -> Iterator[Database]:
    """A database that the tests of this module share."""
    with own_database(server, template) as database:
        yield database


@pytest.fixture(scope="module")
def jupyter(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterProcess]:
    """A Jupyter Server behind a base URL, with an extension beside ours that forgot to guard."""
    options = ["--ServerApp.jpserver_extensions={'collector': True, 'undecorated': True}"]
    home = tmp_path_factory.mktemp("jupyter")
    with JupyterProcess(home, filled, base_url=BASE_URL, options=options) as process:
        yield process


@pytest.fixture(scope="module")
def connections_at_start(jupyter: JupyterProcess, filled: Database) -> list[tuple]:
    """Who was connected to the database when the server had started, but for this test."""
    assert httpx.get(f"{jupyter.url}/runs").status_code == 403
    return run_sql(filled, CONNECTIONS)


@pytest.fixture(scope="module", autouse=True)
def _at_start(connections_at_start: list[tuple]) -> None:
    """Looked at before anybody asks for runs."""


@pytest.fixture(scope="module")
def run(filled: Database) -> WrittenRun:
    """A run of three entries that goes on."""
    run = WrittenRun(filled, name="<b>Kitchen</b>")
    run.write_numbered(1, 3)
    return run


def handlers() -> list[tuple[str, type[RequestHandler]]]:
    """Every address of the extension, with a run's id in it, and who answers there."""
    extension = CollectorServer()
    extension.initialize_handlers()
    return [(re.sub(r"\(.*?\)", str(UUID(int=7)), h[0]), h[1]) for h in extension.handlers]


def implemented(handler: type[RequestHandler]) -> set[str]:
    return {
        method
        for method in handler.SUPPORTED_METHODS
        if getattr(handler, method.lower()) is not RequestHandler._unimplemented_method
    }


def test_the_walk_below_meets_every_handler_there_is() -> None:
    mounted = {handler for _, handler in handlers()}
    defined = set(CollectorHandler.__subclasses__())
    assert {h for h in defined if h.__module__.startswith("collector.")} == mounted
    assert all(implemented(handler) == {"GET", "HEAD", "OPTIONS"} for handler in mounted)


@pytest.mark.parametrize(("address", "handler"), handlers())
def test_every_method_of_every_handler_is_closed_to_whoever_has_no_token(
    jupyter: JupyterProcess, address: str, handler: type[RequestHandler]
) -> None:
    url = jupyter.url + address.removeprefix("/collector")
    for method in handler.SUPPORTED_METHODS:
        answer = httpx.request(method, url)
        if method == "OPTIONS":
            # Browsers ask this without credentials, before they send any.
            assert (answer.status_code, answer.content) == (204, b""), method
        else:
            assert answer.status_code == 403, f"{method} {address}"
        refused = httpx.request(method, url, headers={"Authorization": "token wrong"})
        assert refused.status_code in {204, 403}, method


def test_a_method_whose_author_forgot_the_decorators_is_closed_all_the_same(
    jupyter: JupyterProcess,
) -> None:
    url = f"{jupyter.url}/undecorated"
    assert httpx.get(url).status_code == 403
    assert httpx.get(url, headers=jupyter.headers).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_through_it(
    jupyter: JupyterProcess, run: WrittenRun, method: str
) -> None:
    answer = httpx.request(method, f"{jupyter.url}/runs/{run.id}", headers=jupyter.headers)
    assert answer.status_code == 405


def test_a_wrong_token_is_refused_as_json(jupyter: JupyterProcess) -> None:
    answer = httpx.get(f"{jupyter.url}/runs", params={"token": "wrong"})
    assert answer.status_code == 403
    assert "token" in answer.json()["message"]
    assert answer.headers["content-type"] == "application/json"


def test_the_token_opens_in_a_header_and_in_the_address(jupyter: JupyterProcess) -> None:
    assert httpx.get(f"{jupyter.url}/runs", headers=jupyter.headers).status_code == 200
    assert httpx.get(f"{jupyter.url}/runs", params={"token": jupyter.token}).status_code == 200


def test_the_log_never_shows_the_token(jupyter: JupyterProcess) -> None:
    httpx.get(f"{jupyter.url}/runs/nothing", params={"token": jupyter.token})
    log = jupyter.log.read_text()
    assert "token=[secret]" in log
    assert jupyter.token not in log


def test_a_cookie_opens_to_its_own_origin_only(jupyter: JupyterProcess) -> None:
    with httpx.Client() as browser:
        browser.get(f"{jupyter.url}/runs", params={"token": jupyter.token})
        assert browser.get(f"{jupyter.url}/runs").status_code == 200
        foreign = {"Origin": "http://elsewhere.example"}
        assert browser.get(f"{jupyter.url}/runs", headers=foreign).status_code == 404


def test_a_foreign_host_name_is_refused(jupyter: JupyterProcess) -> None:
    """Against rebinding of names."""
    headers = jupyter.headers | {"Host": "elsewhere.example"}
    assert httpx.get(f"{jupyter.url}/runs", headers=headers).status_code == 403


def test_runs_come_newest_first(jupyter: JupyterProcess, run: WrittenRun, filled: Database) -> None:
    later = WrittenRun(filled, name="Later")
    answer = httpx.get(f"{jupyter.url}/runs", headers=jupyter.headers)
    ids = [told["run_id"] for told in answer.json()]
    assert ids.index(str(later.id)) < ids.index(str(run.id))
    few = httpx.get(f"{jupyter.url}/runs", headers=jupyter.headers, params={"limit": 1})
    assert [told["run_id"] for told in few.json()] == ids[:1]
    assert answer.headers["cache-control"] == "no-store"


def test_a_run_tells_how_it_stands(jupyter: JupyterProcess, run: WrittenRun) -> None:
    told = httpx.get(f"{jupyter.url}/runs/{run.id}", headers=jupyter.headers).json()
    assert told["name"] == "<b>Kitchen</b>"
    assert (told["status"], told["interrupted"]) == ("running", True)
    assert (told["budget"], told["requests"], told["lists_total"]) == (100, 0, 1)
    assert (told["seller_count_snapshot"], told["sellers_new"]) == (None, 0)
    assert (told["last_activity_id"], told["errors"], told["source"]) == (3, [], "sandbox")
    assert not told.keys() & {"workers", "eta_s", "hold_until"}


def test_the_beginning_of_an_id_names_its_run(jupyter: JupyterProcess, run: WrittenRun) -> None:
    answer = httpx.get(f"{jupyter.url}/runs/{str(run.id)[:8]}", headers=jupyter.headers)
    assert answer.json()["run_id"] == str(run.id)


@pytest.mark.parametrize("ending", ["", "/", "/activity"])
def test_an_unknown_run_is_404_and_a_malformed_id_400(jupyter: JupyterProcess, ending: str) -> None:
    expected = {
        str(uuid4()): 404,
        "latest": 400,
        "abc": 400,
        "%00": 400,
        "%27%3B--": 400,
        "g" * 36: 400,
        "a" * 40: 400,
    }
    for given, status in expected.items():
        answer = httpx.get(f"{jupyter.url}/runs/{given}{ending}", headers=jupyter.headers)
        assert answer.status_code == status, given
        assert answer.json()["message"]


@pytest.mark.parametrize(
    "parameters", [{"limit": "0"}, {"limit": "x"}, {"limit": "5000"}, {"source": "elsewhere"}]
)
def test_what_cannot_be_asked_is_400(jupyter: JupyterProcess, parameters: dict[str, str]) -> None:
    answer = httpx.get(f"{jupyter.url}/runs", headers=jupyter.headers, params=parameters)
    assert answer.status_code == 400
    assert next(iter(parameters)) in answer.json()["message"]


@pytest.mark.parametrize("path", ["/runs", "/runs/{}", "/runs/{}/", "/runs/{}/activity"])
def test_a_head_has_the_headers_and_no_body(
    jupyter: JupyterProcess, run: WrittenRun, path: str
) -> None:
    url = jupyter.url + path.format(run.id)
    answer = httpx.head(url, headers=jupyter.headers)
    assert (answer.status_code, answer.content) == (200, b"")
    kinds = {"/runs/{}/": "text/html", "/runs/{}/activity": "text/event-stream"}
    assert answer.headers["content-type"].startswith(kinds.get(path, "application/json"))


def test_real_data_is_never_looked_for_in_a_sandbox_database(jupyter: JupyterProcess) -> None:
    parameters = {"source": "oxylabs"}
    answer = httpx.get(f"{jupyter.url}/runs", headers=jupyter.headers, params=parameters)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "name another database for real runs" in answer.json()["message"]


def test_the_page_may_run_its_own_script_and_nothing_else(
    jupyter: JupyterProcess, run: WrittenRun
) -> None:
    page = httpx.get(f"{jupyter.url}/runs/{run.id}/", headers=jupyter.headers)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|style=", page.text)
    assert "Kitchen" not in page.text
    for name in ("page.js", "page.css"):
        found = httpx.get(f"{jupyter.url}/page/{name}", headers=jupyter.headers)
        assert found.status_code == 200
        assert "innerHTML" not in found.text
    gone = httpx.get(f"{jupyter.url}/page/..%2Fhandlers.py", headers=jupyter.headers)
    assert gone.status_code == 404


def test_no_database_is_opened_before_somebody_asks(
    connections_at_start: list[tuple], jupyter: JupyterProcess, filled: Database
) -> None:
    assert connections_at_start == []
    assert httpx.get(f"{jupyter.url}/runs", headers=jupyter.headers).status_code == 200
    assert run_sql(filled, CONNECTIONS)


def test_a_database_that_does_not_answer_is_503_until_it_does(
    database: Database, tmp_path: Path
) -> None:
    # One whose user may not create what is missing: it is not made in passing.
    role = f"reader_{uuid4().hex[:8]}"
    run_sql(database, f"CREATE ROLE {role} LOGIN PASSWORD 'not-to-be-shown'")
    login = database.url.set(username=role, password="not-to-be-shown")
    wrong = login.set(database=f"missing_{role}_sandbox").render_as_string(hide_password=False)
    try:
        with JupyterProcess(tmp_path, None, environment={"DATABASE_URL": wrong}) as process:
            for _ in range(2):
                answer = httpx.get(f"{process.url}/runs", headers=process.headers)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
                assert "not-to-be-shown" not in answer.text
                assert f"missing_{role}_sandbox" in answer.json()["message"]
            run_sql(database, f"CREATE DATABASE missing_{role}_sandbox OWNER {role}")
            answer = httpx.get(f"{process.url}/runs", headers=process.headers)
            assert (answer.status_code, answer.json()) == (200, [])
            assert "not-to-be-shown" not in process.log.read_text()
    finally:
        run_sql(database, f"DROP DATABASE IF EXISTS missing_{role}_sandbox WITH (FORCE)")
        run_sql(database, f"DROP ROLE {role}")


def test_the_extension_is_enabled_by_what_the_package_installs() -> None:
    """The folder goes to `etc/jupyter/jupyter_server_config.d`, of an editable install too."""
    root = Path(__file__).resolve().parents[2]
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shared = wheel["targets"]["wheel"]["shared-data"]
    assert shared["jupyter-config"] == "etc/jupyter/jupyter_server_config.d"
    enabled = json.loads((root / "jupyter-config" / "collector.json").read_text())
    assert enabled == {"ServerApp": {"jpserver_extensions": {"collector": True}}}
