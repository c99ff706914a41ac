"""Numbers -> SVG text that stands inside the page: no scripts, no fonts, no fixed colours.

Curves are drawn by matplotlib with stand-in colours that become CSS variables, so that they follow
the reader's light or dark scheme; text stays text.
"""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

COLORS = {
    "#0a0b01": "var(--ink)",
    "#0a0b02": "var(--muted)",
    "#0a0b03": "var(--rule)",
    "#0a0b04": "var(--tuned)",
    "#0a0b05": "var(--base)",
}
INK, MUTED, RULE, TUNED, BASE = COLORS

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "lines.solid_capstyle": "round",
}

Points = Sequence[tuple[float, float]]
"""(step, value) in order of step."""


def draw_training(
    *,
    loss: Points,
    validation_loss: Points,
    validation_accuracy: Points,
    learning_rate: Points,
    is_narrow: bool = False,
) -> Markup:
    """Loss over steps, training beside validation; below it the share of validation turns done
    right, where it was measured, and the learning rate. The narrow form is for phones: the same
    text size on half the width."""
    heights = (2.6, 1, 1) if validation_accuracy else (2.6, 1)
    size = (4.0 if is_narrow else 8.6, 2.2 + 1.1 * len(heights))
    # The salt keeps the two forms' clip paths apart: both stand in one page, one of them hidden.
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"tooltune-{size}"}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _draw_loss(panels[0], loss, validation_loss)
        if validation_accuracy:
            _draw_accuracy(panels[1], validation_accuracy)
        _draw_learning_rate(panels[-1], learning_rate)
        figure.align_ylabels()
        return _to_svg(figure, _describe(loss, validation_loss))


def draw_whiskers(rates: Sequence[tuple[str, dict[str, Any]]]) -> Markup:
    """One table row's picture: per model (CSS class, rate) a dot at the rate and a line from low
    to high, on an axis from 0 to 100 %. A rate of None draws nothing."""
    height, lane = 12 * len(rates) + 6, 12
    parts = [
        f'<line class="tick" x1="{x}%" x2="{x}%" y1="0" y2="{height}"/>'
        for x in (0, 25, 50, 75, 100)
    ]
    labels = []
    for index, (name, rate) in enumerate(rates):
        if rate.get("rate") is None:
            continue
        y = 9 + lane * index
        low, middle, high = (f"{100 * rate[key]:.2f}%" for key in ("low", "rate", "high"))
        parts.append(
            f'<g class="{escape(name)}"><line x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{middle}" cy="{y}" r="4.2"/></g>'
        )
        labels.append(f"{name} {100 * rate['rate']:.0f} %")
    label = escape(", ".join(labels))
    return Markup(
        f'<svg class="whiskers" role="img" aria-label="{label}" height="{height}">'
        + "".join(parts)
        + "</svg>"
    )


def draw_costs(devices: Sequence[dict[str, Any]], *, is_narrow: bool = False) -> Markup:
    """Dollars against hours of a planned run, a cross of both ranges for each device that fits.

    `devices` are rows of plan.json with a known time and price.
    """
    size = (4.0 if is_narrow else 8.6, 3.6)
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"tooltune-costs-{size}"}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for row in devices:
            x, y = row["hours"], row["usd"]
            low, high = row["hours_range"], row["usd_range"]
            axes.plot(low, [y, y], color=MUTED, linewidth=1)
            axes.plot([x, x], high, color=MUTED, linewidth=1)
            axes.plot([x], [y], color=TUNED, marker="o", markersize=5)
            axes.annotate(
                row["device"], (x, y), xytext=(5, 5), textcoords="offset points", color=INK
            )
        for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
            set_scale("log")
            axis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.tick_params(which="minor", length=0)
        axes.margins(0.12, 0.15)
        axes.set_xlabel("hours")
        axes.set_ylabel("dollars")
        names = ", ".join(f"{row['device']} {row['hours']:.2g} h" for row in devices)
        return _to_svg(figure, f"Cost against time: {names}")


def smooth(points: Points) -> list[tuple[float, float]]:
    """Mean over a window of a twentieth of the run around each point, so that it does not lag; the
    window shrinks towards both ends."""
    reach = len(points) // 40
    smoothed = []
    for index, (step, _) in enumerate(points):
        half = min(reach, index, len(points) - 1 - index)
        window = [value for _, value in points[index - half : index + half + 1]]
        smoothed.append((step, sum(window) / len(window)))
    return smoothed


def _draw_loss(axes: Axes, loss: Points, validation_loss: Points) -> None:
    values = [value for _, value in (*loss, *validation_loss) if value > 0]
    if values and max(values) > 20 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(which="minor", length=0)
    axes.plot(*_columns(loss), color=MUTED, linewidth=0.8, alpha=0.45)
    axes.plot(*_columns(smooth(loss)), color=TUNED, linewidth=1.8, label="training (smoothed)")
    if validation_loss:
        axes.plot(
            *_columns(validation_loss),
            color=INK,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            marker="o",
            markersize=5,
            label="validation",
        )
    axes.set_ylabel("loss per supervised token")
    axes.legend(frameon=False, fontsize=10, loc="upper right")


def _draw_accuracy(axes: Axes, accuracy: Points) -> None:
    axes.plot(*_columns(accuracy), color=INK, linewidth=1.1, linestyle=(0, (4, 2)), marker="o")
    axes.set_ylim(0, 1.08)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_ylabel("turns right")


def _draw_learning_rate(axes: Axes, learning_rate: Points) -> None:
    axes.plot(*_columns(learning_rate), color=INK, linewidth=1.4)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel("learning rate")
    axes.set_xlabel("step")


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def _describe(loss: Points, validation_loss: Points) -> str:
    text = f"Training loss from {loss[0][1]:.3g} to {loss[-1][1]:.3g} in {len(loss)} steps"
    return text + (f", validation loss {validation_loss[-1][1]:.3g}" if validation_loss else "")


def _to_svg(figure: Figure, label: str) -> Markup:
    """The bare `<svg>` element: sized by the page, labelled, in the page's colours."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    for stand_in, variable in COLORS.items():
        text = text.replace(stand_in, variable)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))
