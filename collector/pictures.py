"""Frames as pictures: Altair charts for notebooks and reports, one function each.

Charts carry no data but what they show, and no more than `POINTS` points. Whatever has nothing
to show gives a chart that says so. `svg` renders without a browser and without a network; text
and axes take the colour of the page around them, so that one picture serves light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from collector.analysis import STATUSES

POINTS = 2_000
WIDTH = 640

AnyChart = alt.Chart | alt.LayerChart

# Okabe and Ito's colours: told apart by colour-blind eyes, on light and on dark ground.
COLOURS = {
    "new": "#009E73",
    "returning": "#56B4E9",
    "retained": "#999999",
    "not_seen": "#D55E00",
    "out_of_scope": "#CC79A7",
}
_LINE, _ACCENT, _ERROR = "#0072B2", "#E69F00", "#D55E00"


def nothing_yet(title: str) -> AnyChart:
    """A chart that says there is nothing to show."""
    words = pd.DataFrame({"text": ["nothing yet"]})
    chart = alt.Chart(words, title=title).mark_text(size=14).encode(text="text:N")
    return _sized(chart, WIDTH, 60)


def count_over_time(snapshots: pd.DataFrame) -> AnyChart:
    """How many sellers are on the list, along time, with marks for runs and manual edits.

    Args:
        snapshots: the `snapshots` frame.
    """
    title = "Sellers on the list"
    if snapshots.empty:
        return nothing_yet(title)
    by_hand = (snapshots["what"] != "run") & (snapshots["what"] != "export")
    by_hand &= snapshots["run_id"].isna()
    kind = pd.Series("item of a run", index=snapshots.index)
    kind = kind.mask(by_hand, "edit by hand").mask(snapshots["what"] == "run", "end of a run")
    points = snapshots[["taken_at", "count", "change"]].assign(
        kind=kind, label=snapshots["label"].fillna("")
    )
    line = alt.Chart(_thinned(points), title=title).mark_line(interpolate="step-after", color=_LINE)
    marked = _thinned(points[points["kind"] != "item of a run"])
    marks = alt.Chart(marked).mark_point(filled=True, size=70, opacity=1)
    y = alt.Y("count:Q", title="sellers", scale=alt.Scale(zero=False), axis=_whole())
    x = alt.X("taken_at:T", title="UTC", scale=alt.Scale(type="utc"))
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=["end of a run", "edit by hand"], range=[_LINE, _ACCENT]),
    )
    tips = ["taken_at:T", "label:N", "count:Q", "change:Q"]
    # The same title for both, so that colour and shape share one legend.
    shape = alt.Shape(
        "kind:N", title=None, scale=alt.Scale(domain=["end of a run", "edit by hand"])
    )
    both = line.encode(x=x, y=y) + marks.encode(x=x, y=y, color=colour, shape=shape, tooltip=tips)
    return _sized(both, WIDTH, 220)


def waterfall(delta: Mapping[str, int]) -> AnyChart:
    """From the sellers of the run before to those of this run, step by step.

    Args:
        delta: what `analysis.summary` gave.
    """
    title = "From the run before to this run"
    if not delta["now"] and not delta["before"]:
        return nothing_yet(title)
    at, rows = delta["before"], []
    rows.append(("run before", 0, at, at, "total"))
    for status, sign in (("not_seen", -1), ("out_of_scope", -1), ("returning", 1), ("new", 1)):
        to = at + sign * delta[status]
        rows.append((_words(status), at, to, sign * delta[status], status))
        at = to
    rows.append(("this run", 0, at, at, "total"))
    table = pd.DataFrame(rows, columns=["step", "from", "to", "change", "kind"])
    table["top"] = table[["from", "to"]].max(axis=1)
    plain, signed = table["change"].map("{:,}".format), table["change"].map("{:+,}".format)
    table["label"] = signed.where(table["kind"] != "total", plain)
    order = list(table["step"])
    x = alt.X("step:N", sort=order, title=None, axis=alt.Axis(labelAngle=0))
    domain = ["total", *(status for status in STATUSES if status != "retained")]
    colour = alt.Color(
        "kind:N",
        legend=None,
        scale=alt.Scale(domain=domain, range=[COLOURS.get(word, _LINE) for word in domain]),
    )
    base = alt.Chart(table, title=title)
    bars = base.mark_bar().encode(
        x=x, y=alt.Y("from:Q", title="sellers", axis=_whole()), y2="to:Q", color=colour
    )
    text = base.mark_text(dy=-7).encode(x=x, y="top:Q", text="label:N")
    return _sized(bars + text, WIDTH, 220)


def per_category(table: pd.DataFrame, *, most: int = 20) -> AnyChart:
    """New, returning, retained and not seen sellers in each category, the fullest first.

    Args:
        table: what `analysis.by_category` gave.
        most: how many categories are shown.
    """
    title = "Sellers by category"
    if table.empty:
        return nothing_yet(title)
    shown = table.head(most)
    names = shown["department"].where(
        shown["category"] == "", shown["department"] + " › " + shown["category"]
    )
    long = shown.assign(name=names).melt(
        id_vars="name", value_vars=list(STATUSES), var_name="status", value_name="sellers"
    )
    long["rank"] = long["status"].map({status: place for place, status in enumerate(STATUSES)})
    long["label"] = long["status"].map(_words)
    scale = alt.Scale(
        domain=[_words(status) for status in STATUSES], range=[COLOURS[s] for s in STATUSES]
    )
    chart = alt.Chart(long, title=title).mark_bar()
    encoded = chart.encode(
        y=alt.Y("name:N", sort=list(names), title=None, axis=alt.Axis(labelLimit=320)),
        x=alt.X("sellers:Q", title="sellers", axis=_whole()),
        color=alt.Color("label:N", title=None, scale=scale),
        order="rank:Q",
        tooltip=["name:N", "label:N", "sellers:Q"],
    )
    return _sized(encoded, WIDTH - 240, alt.Step(20))


def funnel(run: Mapping[str, Any]) -> AnyChart:
    """From categories over products to new sellers.

    Args:
        run: a row of the `runs` frame.
    """
    title = "From categories to new sellers"
    steps = {
        "categories": run["categories"],
        "products": run["products_total"],
        "products searched": run["products_searched"],
        "sellers found": run["sellers_found"],
        "new sellers": run["sellers_new"],
    }
    if not any(steps.values()):
        return nothing_yet(title)
    table = pd.DataFrame({"step": list(steps), "count": [int(n) for n in steps.values()]})
    y = alt.Y("step:N", sort=list(steps), title=None)
    base = alt.Chart(table, title=title)
    # Steps differ by orders of magnitude; a root keeps the small ones visible.
    x = alt.X("count:Q", title=None, axis=None, scale=alt.Scale(type="sqrt"))
    bars = base.mark_bar(color=_LINE).encode(y=y, x=x)
    text = base.mark_text(align="left", dx=5).encode(
        y=y, x=x, text=alt.Text("count:Q", format=",d")
    )
    return _sized(bars + text, WIDTH - 120, alt.Step(30))


def requests_and_errors(requests: pd.DataFrame) -> AnyChart:
    """How many requests were sent along time, and how they ended.

    Args:
        requests: the `requests` frame of one run.
    """
    title = "Requests and how they ended"
    if requests.empty:
        return nothing_yet(title)
    times = requests["reserved_at"]
    # At most sixty bars, of a second at least.
    width_s = max(1, round((times.max() - times.min()).total_seconds() / 60))
    table = (
        requests.assign(
            at=times.dt.floor(f"{width_s}s"), outcome=requests["outcome"].fillna("open")
        )
        .groupby(["at", "outcome"])
        .size()
        .reset_index(name="requests")
    )
    kinds = ["ok", *sorted(set(table["outcome"]) - {"ok"})]
    shades = [_LINE, _ERROR, _ACCENT, "#CC79A7", "#F0E442", "#56B4E9", "#999999"]
    scale = alt.Scale(domain=kinds, range=[shades[i % len(shades)] for i in range(len(kinds))])
    chart = (
        alt.Chart(table, title=title)
        .mark_bar()
        .encode(
            x=alt.X("at:T", title="UTC", scale=alt.Scale(type="utc")),
            y=alt.Y("requests:Q", title=f"requests in {width_s} s", axis=_whole()),
            color=alt.Color("outcome:N", title=None, scale=scale),
            tooltip=["at:T", "outcome:N", "requests:Q"],
        )
    )
    return _sized(chart, WIDTH, 160)


def cohort_map(cohorts: pd.DataFrame) -> AnyChart:
    """How much of each run's new sellers every later run saw.

    Args:
        cohorts: what `analysis.cohorts` gave.
    """
    title = "Sellers seen again, by the run that added them"
    if cohorts.empty:
        return nothing_yet(title)
    chart = (
        alt.Chart(cohorts.tail(POINTS), title=title)
        .mark_rect()
        .encode(
            x=alt.X("age:O", title="runs later", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("cohort_name:N", sort=list(cohorts["cohort_name"].unique()), title=None),
            color=alt.Color("share:Q", title="share", scale=alt.Scale(domain=[0, 1])),
            tooltip=["cohort_name:N", "age:O", "size:Q", "seen:Q"],
        )
    )
    return _sized(chart, WIDTH - 120, alt.Step(24))


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart that a notebook shows as SVG: also offline, where Vega's scripts do not come from.

    Attributes:
        chart: the Altair chart.
    """

    chart: AnyChart

    def _repr_html_(self) -> str:
        return svg(self.chart)


def svg(chart: AnyChart) -> str:
    """The chart as an SVG element that stands on any ground. Its text is escaped."""
    quiet = {"labelColor": "currentColor", "titleColor": "currentColor"}
    styled = (
        chart.configure(
            background="transparent",
            font="system-ui, sans-serif",
            # The page's font may be wider than the one that texts are measured with.
            padding={"left": 20, "right": 30, "top": 5, "bottom": 5},
        )
        .configure_title(color="currentColor", anchor="start", fontSize=14)
        .configure_axis(**quiet, gridColor="#8888", gridOpacity=0.35, tickColor="#8888")
        .configure_legend(**quiet, orient="top")
        .configure_text(color="currentColor")
        .configure_view(stroke=None)
    )
    return vl_convert.vegalite_to_svg(styled.to_json())


def _sized(chart: AnyChart, width: int, height: int | alt.Step) -> AnyChart:
    sized: AnyChart = chart.properties(width=width, height=height)
    return sized


def _whole() -> alt.Axis:
    return alt.Axis(format=",d", tickMinStep=1)


def _words(status: str) -> str:
    return status.replace("_", " ")


def _thinned(points: pd.DataFrame) -> pd.DataFrame:
    """At most `POINTS` rows, evenly chosen, the first and the last among them."""
    if len(points) <= POINTS:
        return points
    step = (len(points) - 1) / (POINTS - 1)
    return points.iloc[[round(place * step) for place in range(POINTS)]]
