"""Growth along time, cohorts, spread, scores and trust, read from the workbench."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from frames_rows import DOGS, KITCHEN, Rows

from collector import Workbench, analysis
from collector.analysis import STATUSES, ScoreWeights
from collector.errors import UnknownRun, UsageError
from collector.frames.between import HISTORY
from collector.frames.growth import GROWTH_BY_PLACE
from collector.picturing import PICTURES
from collector.settings import Settings
from tests.conftest import run_sql


@pytest.fixture
def bench(settings: Settings) -> Iterator[Workbench]:
    with Workbench.open(settings) as opened:
        yield opened


@pytest.fixture
def rows(bench: Workbench) -> Rows:
    return Rows(bench.database)


def test_an_empty_desk_gives_empty_frames_with_their_dtypes(bench: Workbench) -> None:
    for frame, spec in (
        (bench.growth(), HISTORY),
        (bench.growth(by="department"), GROWTH_BY_PLACE),
        (bench.growth(by="category"), GROWTH_BY_PLACE),
        (bench.cohorts(), analysis.COHORTS),
        (bench.spread(), analysis.SPREAD),
        (bench.scores(), analysis.SCORES),
    ):
        assert frame.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in spec.columns}
        assert frame.empty
    assert bench.quality().badge == "nothing yet"
    for of_a_run in (bench.deltas, bench.deltas_by):
        assert of_a_run().empty
        with pytest.raises(UnknownRun):
            of_a_run("1a2b")


def test_every_picture_is_drawn_of_nothing_and_of_a_run(bench: Workbench, rows: Rows) -> None:
    for what in PICTURES:
        assert "nothing yet" in bench.picture(what)._repr_html_(), what
    rows.run(1, {"A1": ["anna"]})
    last = rows.run(2, {"A1": ["anna", "bob"]})
    for what in PICTURES:
        drawn = bench.picture(what, last)._repr_html_()
        assert drawn.startswith("<svg")
        assert "nothing yet" not in drawn, what
        assert "<script" not in drawn
    with pytest.raises(UsageError, match="Choose one of: count"):
        bench.picture("moon")


def test_growth_keeps_its_identities_for_every_pair_and_place(bench: Workbench, rows: Rows) -> None:
    places = (KITCHEN, DOGS)
    rows.run(1, {"A1": ["anna", "bob"], "A2": ["bob"]}, categories=places)
    rows.run(2, {"A1": ["anna", "zoe"], "A2": []}, categories=places)
    rows.run(3, {"A1": ["bob"]}, status="cancelled")
    last = rows.run(4, {"A1": ["bob", "zoe"]})

    growth = bench.growth()
    assert (growth["now"] == growth[["new", "returning", "retained"]].sum(axis=1)).all()
    assert (growth["before"] == growth[["retained", "not_seen", "out_of_scope"]].sum(axis=1)).all()
    assert growth["marks"].tolist() == ["first_run", "", "cancelled changed_scope", "changed_scope"]

    for level in ("department", "category"):
        by = bench.growth(by=level)  # type: ignore[arg-type]
        assert (by["now"] == by[["new", "returning", "retained"]].sum(axis=1)).all()
        newest = by[by["run_id"] == str(last)].reset_index(drop=True)
        counts = ["department", "category", *STATUSES]
        assert newest[counts].equals(bench.deltas_by(last, by=level)[counts])  # type: ignore[arg-type]
    assert set(bench.growth(by="department")["department"]) == {KITCHEN[1], DOGS[1]}


def test_quality_names_what_limits_a_run(bench: Workbench, rows: Rows) -> None:
    rows.run(1, {"A1": ["anna"], "A2": []}, failed=["A2"])
    quality = bench.quality()

    assert quality.badge == "incomplete"
    assert quality.frame["mark"].tolist() == ["failed_items", "first_run", "unreliable_pages"]
    assert "Failed items: 1." in str(quality)
    assert "<b>incomplete</b>" in quality._repr_html_()


def test_weights_are_kept_in_the_database_and_weigh(bench: Workbench, rows: Rows) -> None:
    rows.run(1, {"A1": ["anna", "bob"], "A2": ["anna"]}, categories=(KITCHEN, DOGS))
    assert bench.score_weights == ScoreWeights()

    bench.score_weights = ScoreWeights(breadth=0, products=1, stability=0, youth=0)

    scores = bench.scores().set_index("display_name")
    assert scores["score"].to_dict() == pytest.approx({"anna": 20, "bob": 10})
    assert scores.loc["anna", ["departments", "products", "runs"]].tolist() == [2, 2, 1]
    with Workbench.open(bench.settings) as another:
        assert another.score_weights == bench.score_weights
    run_sql(bench.database, """UPDATE collector_settings SET value = '{"youth": -1}'""")
    with pytest.raises(UsageError, match="Weights"):
        bench.scores()


def test_cohorts_and_spread_follow_sellers_through_the_runs(bench: Workbench, rows: Rows) -> None:
    first = rows.run(1, {"A1": ["anna", "bob"]})
    rows.run(2, {"A1": ["anna"], "A2": ["zoe"]})

    cohorts = bench.cohorts()
    assert cohorts[["age", "size", "seen"]].to_numpy().tolist() == [[0, 2, 2], [1, 2, 1], [0, 1, 1]]
    spread = bench.spread().set_index("display_name")
    assert spread.loc["anna", ["runs", "products", "sightings"]].tolist() == [2, 1, 2]
    assert bench.spread(first)["runs"].tolist() == [1, 1]
