"""How the panel looks: both themes, every state, narrow panes and large text, always as high."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import Desk, Lab
from playwright.sync_api import Browser, expect

SETUP = """\
from collector.words import PauseReason, RunStatus
from scripted_run import ScriptedRun
run = ScriptedRun(rate=8).history(steps=400).start()
panel = run.panel()
panel"""


def opened(lab: Lab, desk: Desk, name: str) -> Desk:
    """A notebook with the panel of a run that is going on; the last cell is free."""
    desk.open(lab.write(name, SETUP, ""))
    desk.wide()
    desk.run(0)
    expect(desk.panel.locator(".clp-status")).to_have_text("● Running")
    return desk


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_no_state_changes_the_panels_size(
    lab: Lab, desk: Desk, shot: Callable[..., None], theme: str
) -> None:
    opened(lab, desk, f"looks-{theme}.ipynb")
    desk.theme(f"JupyterLab {theme}")
    desk.page.wait_for_timeout(1500)
    size = desk.panel.bounding_box()
    states = {
        "running": "None",
        "rate-limited": "run.hold(30)",
        "paused-by-failures": "run.pause_for(PauseReason.FAILURES, '5 items failed in a row:"
        " Oxylabs could not be reached, the connection was refused')",
        "budget-spent": "run.pause_for(PauseReason.BUDGET, 'All 1,500 requests of the budget are"
        " spent')",
        "finished": "run.finish()",
    }
    for name, act in states.items():
        desk.ask(act)
        desk.page.wait_for_timeout(1200)
        shot(desk.page, f"{name}-{theme.lower()}")
        assert desk.panel.bounding_box() == size, name
    assert desk.errors == []


def test_both_themes_have_readable_contrast(lab: Lab, desk: Desk) -> None:
    """Every text against what is behind it: at least 4.5 to 1, as WCAG AA asks."""
    opened(lab, desk, "contrast.ipynb")
    desk.ask("run.hold(60)")
    for theme in ("Light", "Dark"):
        desk.theme(f"JupyterLab {theme}")
        desk.page.wait_for_timeout(500)
        poor = desk.panel.evaluate(CONTRAST)
        assert poor == [], theme


CONTRAST = """root => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const flat = (layers) => {
    canvas.fillStyle = '#fff';
    canvas.fillRect(0, 0, 1, 1);
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = new Set();
  for (const node of root.querySelectorAll('*')) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest('.clp-hidden')) continue;
    const layers = [];
    for (let n = node; n; n = n.parentElement) layers.unshift(getComputedStyle(n).backgroundColor);
    const behind = light(flat(layers));
    const text = light(flat([...layers, getComputedStyle(node).color]));
    const ratio = (Math.max(behind, text) + 0.05) / (Math.min(behind, text) + 0.05);
    if (ratio < 4.5) poor.add(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""


@pytest.mark.parametrize(("pane", "scale"), [(900, 1.0), (640, 1.0), (440, 1.0), (900, 1.5)])
def test_nothing_is_cut_off_in_a_narrow_pane(
    lab: Lab, chromium: Browser, shot: Callable[..., None], pane: int, scale: float
) -> None:
    """At 150 % a browser gives the page two thirds of the width, and draws it larger."""
    context = chromium.new_context(
        viewport={"width": int((pane + 150) / scale), "height": 1300}, device_scale_factor=scale
    )
    desk = opened(lab, Desk.at(lab, context), f"pane-{pane}-{scale}.ipynb")
    desk.ask("run.hold(60)")
    desk.page.wait_for_timeout(500)
    shot(desk.page, f"pane-{pane}-{int(100 * scale)}")
    box = desk.panel.bounding_box()
    for part in (".clp-buttons", ".clp-figures", ".clp-note", ".clp-chips", ".clp-workers"):
        inner = desk.panel.locator(part).bounding_box()
        assert inner["x"] >= box["x"], part
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1, part
    heights = {c.bounding_box()["height"] for c in desk.panel.locator(".clp-card").all()}
    assert len(heights) == 1
    context.close()
