"""The report as a browser lays it out, offline, on a desk and on a phone."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tooltune.report.page import write_report
from tooltune.rundir import RunDir

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
WIDTHS = (1200, 360)

# The report itself runs no script, so a page around it measures: each width is one frame.
RULER = """<!DOCTYPE html><meta charset="utf-8"><pre id="out"></pre>{frames}<script>
addEventListener("load", () => {{
  const seen = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, root = page.documentElement;
    const box = element => element.getBoundingClientRect();
    const shown = [...page.querySelectorAll("figure svg")].filter(svg => box(svg).width > 0);
    const inside = [...page.querySelectorAll("body *")].filter(
      // The ledger is wide and scrolls by itself.
      element => !element.closest(".ledger") && box(element).right > root.clientWidth + 6);
    return {{
      title: page.title,
      overflow: root.scrollWidth - root.clientWidth,
      outside: inside.map(element => element.tagName + "." + element.className.toString()),
      charts: shown.length,
      chartWidth: shown.length ? box(shown[0]).width : 0,
      labelHeight: shown.length ? Math.min(...[...shown[0].querySelectorAll("text")]
        .filter(text => text.textContent.length > 3)
        .map(text => Math.min(box(text).width, box(text).height))) : 0,
      dots: page.querySelectorAll(".whiskers circle").length,
      sections: [...page.querySelectorAll("section")].map(part => Math.round(box(part).height)),
      pairTops: [...page.querySelector(".pair").children].map(part => box(part).top),
      font: getComputedStyle(page.body).fontSize,
    }};
  }});
  document.getElementById("out").textContent = JSON.stringify(seen);
}});
</script>"""


@pytest.fixture
def layouts(finished_run: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """What the ruler saw at each of WIDTHS."""
    report = write_report(RunDir(finished_run))
    frames = "".join(
        f'<iframe src="{report.as_uri()}" width="{width}" height="900"></iframe>'
        for width in WIDTHS
    )
    ruler = tmp_path / "ruler.html"
    ruler.write_text(RULER.format(frames=frames))
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1400,1000",
            "--dump-dom",
            ruler.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r'<pre id="out">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    seen: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return seen


def test_the_page_fits_its_width_on_a_desk_and_on_a_phone(layouts: list[dict[str, Any]]) -> None:
    desk, phone = layouts
    for seen in layouts:
        assert seen["overflow"] == 0
        assert seen["outside"] == []
        assert seen["title"] == "run: tooltune report", "a script in the data has run"
        assert seen["dots"] == 14
        assert seen["charts"] == 3, "curves, diagnosis and costs, one form of each at a time"
        assert seen["labelHeight"] >= 9, "labels stay readable"
        assert all(height > 60 for height in seen["sections"])
    assert desk["chartWidth"] > 700
    assert phone["chartWidth"] > 280
    assert desk["pairTops"][0] == desk["pairTops"][1], "side by side"
    assert phone["pairTops"][0] < phone["pairTops"][1], "one below the other"
