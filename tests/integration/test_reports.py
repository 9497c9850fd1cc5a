"""Reports of real runs: self-contained, equal to the frames, and safe to open."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID, uuid4

import openpyxl
import pypdf
import pytest
from frames_rows import DOGS, KITCHEN, Rows

from collector import frames, reports
from collector.database import Database
from collector.errors import ExportError, UnknownRun, UsageError
from collector.reports.content import NEW_SELLERS_SHOWN, run_report

EVIL = "<img src=x onerror=alert(1)>|`[a](javascript:b)"


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@pytest.fixture
def second_run(rows: Rows) -> UUID:
    """A run with new, returning, retained and not seen sellers, failures and hostile names."""
    rows.run(1, {"A1": ["rita", "bob"]})
    rows.run(2, {"A1": ["anna", "bob"], "A2": ["zoe"]})
    return rows.run(
        3,
        {"A1": ["anna", "rita", EVIL], "A2": ["zoe"], "A3": []},
        name=f"run {EVIL}",
        categories=(KITCHEN, (DOGS[0], f"Pets {EVIL}", EVIL)),
        failed=["A3"],
        budget=10,
    )


class _Page(HTMLParser):
    """What a browser would meet: elements, their attributes, and texts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.by_id: dict[str, str] = {}
        self.cells: list[str] = []
        self.text = ""
        self._id: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._id = dict(attrs).get("id")
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.elements and self.elements[-1][0] == "td":
            self.cells[-1] += data.strip()
        if self._id:
            self.by_id[self._id] = self.by_id.get(self._id, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._id = None


def _page(database: Database, run_id: UUID, path: Path) -> _Page:
    return _Page(reports.write_report(database, run_id, path).read_text(encoding="utf-8"))


def test_the_page_shows_the_frames_figures(
    database: Database, second_run: UUID, tmp_path: Path
) -> None:
    page = _page(database, second_run, tmp_path / "report.html")

    run = frames.runs(database, run_id=second_run).iloc[0]
    delta = frames.deltas(database, second_run)["status"].value_counts()
    for word in ("sellers-new", "sellers-found", "products-searched", "requests"):
        assert page.by_id[word] == f"{run[word.replace('-', '_')]:,}"
    assert page.by_id["sellers-on-list"] == f"{run['seller_count_snapshot']:,}"
    for status, count in delta.items():
        shown = page.cells[page.cells.index(str(status).replace("_", " ")) + 1]
        assert shown == f"{count:,}"
    assert page.by_id["sandbox"] == "SANDBOX"
    assert "Failed items: 1." in page.text
    assert "different categories" in page.text


def test_the_page_needs_no_network_and_runs_nothing(
    database: Database, second_run: UUID, tmp_path: Path
) -> None:
    page = _page(database, second_run, tmp_path / "report.html")

    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "image", "use"})
    assert [tag for tag, _ in page.elements].count("svg") == 5
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        assert not {"src", "href", "xlink:href"} & set(attributes), tag
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_hostile_names_stand_in_the_page_as_text(
    database: Database, second_run: UUID, tmp_path: Path
) -> None:
    page = _page(database, second_run, tmp_path / "report.html")

    assert page.text.count(EVIL) >= 4  # the run's name, a seller, a department, in pictures


def test_markdown_says_the_same_and_obeys_no_name(
    database: Database, second_run: UUID, tmp_path: Path
) -> None:
    text = reports.write_report(database, second_run, tmp_path / "r.md").read_text(encoding="utf-8")

    assert "**SANDBOX" in text
    assert "| Sellers new | 1 |" in text
    assert not re.search(r"(?<!\\)<img", text)
    assert not re.search(r"(?<!\\)`\\?\[a", text)
    for line in text.splitlines():
        if line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)
            assert len(cells) in {4, 5, 7, 8, 9, 10, 11}, line


def test_the_workbook_holds_the_frames_and_no_formula(
    database: Database, second_run: UUID, tmp_path: Path
) -> None:
    path = reports.write_report(database, second_run, tmp_path / "r.xlsx")

    book = openpyxl.load_workbook(path)
    facts = dict(book["run"].iter_rows(min_row=2, values_only=True))
    run = frames.runs(database, run_id=second_run).iloc[0]
    assert facts["sellers_new"] == run["sellers_new"]
    assert facts["sandbox"].startswith("SANDBOX")
    statuses = dict(book["delta"].iter_rows(min_row=2, values_only=True))
    assert statuses == {
        "now": 4,
        "before": 3,
        "new": 1,
        "returning": 1,
        "retained": 2,
        "not_seen": 1,
        "out_of_scope": 0,
    }
    assert book["sellers in delta"].max_row == 1 + len(frames.deltas(database, second_run))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not any(cell.data_type == "f" or cell.hyperlink for cell in cells)
    assert EVIL in {cell.value for cell in cells}


def test_parameters_and_options_are_recorded(
    database: Database, second_run: UUID, tmp_path: Path
) -> None:
    path = tmp_path / "r.md"

    reports.write_report(database, second_run, path, parameters={"preset": "monthly"})

    text = path.read_text(encoding="utf-8")
    assert "| preset | monthly |" in text
    assert "results\\_per\\_page | 240" in text
    assert "| budget | 10 |" in text


def test_a_run_in_progress_is_marked_as_such(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    run_id = rows.run(1, {"A1": ["anna"]}, status="running", source="oxylabs")

    page = _page(database, run_id, tmp_path / "r.html")

    assert page.by_id["in-progress"] == "IN PROGRESS"
    assert "sandbox" not in page.by_id
    assert page.by_id["sellers-on-list"] == "–"


def test_a_run_that_found_nothing_has_a_report_all_the_same(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    run_id = rows.run(1, {})

    for ending in (".html", ".md", ".xlsx"):
        path = reports.write_report(database, run_id, tmp_path / f"r{ending}")
        assert path.stat().st_size > 1000
    assert "nothing yet" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_long_list_of_new_sellers_is_cut_with_a_note(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    names = [f"seller{number:04}" for number in range(NEW_SELLERS_SHOWN + 7)]
    run_id = rows.run(1, {"A1": names})

    report = run_report(database, run_id, parameters={})
    page = _page(database, run_id, tmp_path / "r.html")

    assert report.new_sellers_left_out == 7
    assert "The first 500 of 507" in page.text
    assert names[499] in page.text
    assert names[500] not in page.text


TYPST = '#read("/etc/hostname") *b* $x$ <l> @r [#2+2] \\u{41}'


def test_the_pdf_says_the_same_and_obeys_no_name(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    """Set by a language of its own: what looks like it must come out as it is."""
    rows.run(1, {"A1": ["rita"]})
    run_id = rows.run(2, {"A1": [TYPST, EVIL, "x" * 64]}, name=TYPST)

    path = reports.write_report(database, run_id, tmp_path / "r.pdf", parameters={TYPST: TYPST})

    text = pdf_text(path)
    squeezed = re.sub(r"\s", "", text)
    assert squeezed.count(re.sub(r"\s", "", TYPST)) >= 4  # the title, a seller, parameter and value
    assert re.sub(r"\s", "", EVIL) in squeezed
    assert "x" * 64 in squeezed
    assert "SANDBOX: an invented market" in text
    run = frames.runs(database, run_id=run_id).iloc[0]
    assert f"Sellersnew{run['sellers_new']}" in squeezed
    assert "JavaScript" not in path.read_bytes().decode("latin-1")
    # Pictures carry their texts as texts.
    assert "From the run before to this run" in text


def test_a_pdf_of_a_long_report_has_many_pages_and_all_its_rows(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    names = [f"seller_{number:03}" for number in range(400)]
    run_id = rows.run(1, {"A1": names})

    path = reports.write_report(database, run_id, tmp_path, ending="pdf")

    assert path.suffix == ".pdf"
    assert len(pypdf.PdfReader(path).pages) > 5
    text = pdf_text(path)
    assert all(name in text for name in names)


def pdf_text(path: Path) -> str:
    pages = pypdf.PdfReader(path).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u200b", "")


def test_a_removed_seller_is_not_listed_as_new(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    run_id = rows.run(1, {"A1": ["anna", "bob"]})
    rows.remove("bob", day=2)

    report = run_report(database, run_id, parameters={})

    assert report.new_sellers["display_name"].tolist() == ["anna"]
    assert report.summary["new"] == 2


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("r.doc", UsageError, ".pdf"),
        ("missing/r.html", ExportError, "create it"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(
    database: Database, rows: Rows, tmp_path: Path, name: str, error: type[Exception], says: str
) -> None:
    run_id = rows.run(1, {"A1": ["anna"]})

    with pytest.raises(error, match=re.escape(says)) as caught:
        reports.write_report(database, run_id, tmp_path / name)

    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_a_page_that_says_of_which_run_and_day(
    database: Database, rows: Rows, tmp_path: Path
) -> None:
    run_id = rows.run(1, {"A1": ["anna"]})

    path = reports.write_report(database, run_id, tmp_path)

    assert path == tmp_path / f"report_2026-11-02_run-{run_id.hex[:4]}.html"
    assert path.is_file()


def test_an_unknown_run_has_no_report(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UnknownRun):
        reports.write_report(database, uuid4(), tmp_path / "r.html")

    assert list(tmp_path.iterdir()) == []
