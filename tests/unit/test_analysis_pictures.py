"""Pictures: what they show of a frame, and that a stranger's name stays a text in them."""

from __future__ import annotations

from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest

from collector import analysis, pictures
from collector.frames.specs import REQUESTS, SNAPSHOTS
from collector.models import utc_now

EVIL = '</text><script>alert(1)</script>&"<b>'
EMPTY = dict.fromkeys(("now", "before", *analysis.STATUSES), 0)


def _texts(chart: alt.Chart | alt.LayerChart) -> list[str]:
    """The texts of the rendered picture, by a reader of XML that any loose sign would stop."""
    root = ElementTree.fromstring(pictures.svg(chart))  # noqa: S314 - our own
    assert not [e for e in root.iter() if e.tag.endswith(("script", "image", "foreignObject"))]
    return [text for element in root.iter() for text in [element.text] if text]


@pytest.mark.parametrize(
    "chart",
    [
        pictures.count_over_time(SNAPSHOTS.empty()),
        pictures.waterfall(EMPTY),
        pictures.per_category(analysis.BY_CATEGORY.empty()),
        pictures.requests_and_errors(REQUESTS.empty()),
        pictures.cohort_map(analysis.COHORTS.empty()),
        pictures.funnel(
            dict.fromkeys(
                (
                    "categories",
                    "products_total",
                    "products_searched",
                    "sellers_found",
                    "sellers_new",
                ),
                0,
            )
        ),
    ],
)
def test_an_empty_frame_gives_a_picture_that_says_so(chart: alt.Chart) -> None:
    assert "nothing yet" in _texts(chart)


def test_the_waterfall_leads_from_the_run_before_to_this_run() -> None:
    counts = dict(now=10, before=9, new=4, returning=1, retained=5, not_seen=3, out_of_scope=1)

    texts = _texts(pictures.waterfall(counts))

    assert {"9", "-3", "-1", "+1", "+4", "10"} <= set(texts)


def test_a_hostile_category_is_a_text_in_the_picture() -> None:
    row = {"department": EVIL, "category": "", "now": 1} | dict.fromkeys(analysis.STATUSES, 1)

    texts = _texts(pictures.per_category(analysis.BY_CATEGORY.frame([row])))

    assert EVIL in texts


def test_a_picture_of_a_long_history_holds_a_bounded_number_of_points() -> None:
    times = pd.date_range(utc_now(), periods=20_000, freq="s", unit="us")
    frame = pd.DataFrame(
        {
            "taken_at": times,
            "what": "add",
            "run_id": None,
            "label": "x",
            "count": range(20_000),
            "change": 1,
        }
    )

    drawn = pictures.count_over_time(frame).to_dict()

    points = [row for rows in drawn["datasets"].values() for row in rows]
    assert len(points) <= 2 * pictures.POINTS
    assert {0, 19_999} <= {row["count"] for row in points}
