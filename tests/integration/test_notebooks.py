"""All notebooks, executed with parameters against a real database: empty, and with runs in it."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import papermill
import pytest
from frames_rows import Rows

from collector.database import Database

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = ("01_launch_run", "02_seller_deltas", "03_report")


@pytest.fixture
def environment(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel finds in its environment: this test's database, a sandbox that is quick."""
    for name in list(os.environ):
        if name.startswith(("COLLECTOR_", "OXYLABS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("COLLECTOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLLECTOR_SANDBOX_LATENCY", "0")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))


def executed(name: str, folder: Path, /, **parameters: Any) -> str:
    """Everything that a notebook shows when it is executed, as text."""
    done = papermill.execute_notebook(
        NOTEBOOKS / f"{name}.ipynb",
        folder / f"{name}.done.ipynb",
        parameters=parameters,
        cwd=folder,
        kernel_name="python3",
        progress_bar=False,
        # None would mean for ever.
        execution_timeout=120,
    )
    shown: list[str] = []
    for cell in done.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", output
            assert output.get("name") != "stderr", output["text"]
            for form in ("text/plain", "text/html"):
                shown.append(output.get("data", {}).get(form, ""))
    return "\n".join(shown)


@pytest.mark.usefixtures("environment")
def test_the_first_notebook_launches_a_run_and_leaves_its_files(
    database: Database, tmp_path: Path
) -> None:
    shown = executed(
        "01_launch_run",
        tmp_path,
        categories=["289754"],
        name="From papermill",
        budget=20,
        report_folder=str(tmp_path),
    )

    assert "paused" in shown, "a budget of 20 requests does not suffice for a list"
    assert len(list(tmp_path.glob("report_*.html"))) == 1
    assert len(list(tmp_path.glob("sellers_*.csv"))) == 1


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", NAMES[1:])
def test_a_notebook_says_so_where_there_is_no_run_yet(name: str, tmp_path: Path) -> None:
    shown = executed(name, tmp_path)

    assert "nothing yet" in shown
    assert not list(tmp_path.glob("*.html"))
    assert not list(tmp_path.glob("*.csv"))


@pytest.mark.usefixtures("environment")
def test_the_other_notebooks_show_what_changed_and_write_the_report(
    database: Database, tmp_path: Path
) -> None:
    rows = Rows(database)
    first = rows.run(1, {"A1": ["anna", "bob"]})
    rows.run(2, {"A1": ["anna", "zoe"]})
    shown = executed("02_seller_deltas", tmp_path, before=str(first))
    for expected in ("not_seen", "zoe", "ListDiff", "ScoreWeights(breadth=0.4", "<svg"):
        assert expected in shown

    folder = tmp_path / "to send"
    shown = executed(
        "03_report", tmp_path, run=str(first)[:8], folder=str(folder), formats="html, md,xlsx"
    )
    assert "No earlier completed run" in shown, "a first run says that it is one"
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".html", ".md", ".xlsx"]
    assert "<svg" in shown
    page = next(folder.glob("*.html")).read_text(encoding="utf-8")
    assert "03_report" in page, "the parameters are recorded"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_thin_and_carries_no_outputs(name: str) -> None:
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]

    assert {cell["id"] for cell in cells} == {f"cell-{n:02d}" for n in range(len(cells))}
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    tagged = [cell["metadata"].get("tags") for cell in code]
    assert tagged.count(["parameters"]) == 1
    assert tagged[0] == ["parameters"]
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        source = "".join(cell["source"])
        nodes = {type(node) for node in ast.walk(ast.parse(source.replace("await ", "")))}
        assert not nodes & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda}
        assert len(source.splitlines()) <= 8, "a cell is short"


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")) == list(NAMES)
