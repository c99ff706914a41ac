"""The report's text and pictures; test_report_in_chromium.py looks at their layout."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tooltune.chat.render import Renderer
from tooltune.chat.spans import FOLD_CHARACTERS, choose_example, mark_trained
from tooltune.data.readers import read_conversations
from tooltune.errors import DataError
from tooltune.report.charts import draw_training, draw_whiskers, smooth
from tooltune.report.page import SECTIONS, format_percent, write_report
from tooltune.report.predictions import choose_predictions
from tooltune.rundir import RunDir

VOID = {"meta", "link", "br", "img", "line", "circle", "path", "use", "rect", "input"}


class Page(HTMLParser):
    """Collects tags and text, and checks that every tag is closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        assert self.open == [], "unclosed tags"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data


def read_page(run: Path) -> tuple[str, Page]:
    source = write_report(RunDir(run)).read_text(encoding="utf-8")
    return source, Page(source)


def test_the_page_has_every_chapter_and_its_headline(finished_run: Path) -> None:
    _, page = read_page(finished_run)
    anchors = [values["id"] for tag, values in page.tags if tag in ("header", "section")]
    assert anchors == [make(RunDir(finished_run)).name for make in SECTIONS]
    text = " ".join(page.text.split())
    assert "92 % of held-out cases done right, up from 0 %" in text.replace("\xa0", " ")
    assert "Missing." not in text
    assert "learning_rate = 0.0002" in text
    assert "no call: ask for path" in text
    assert "cut off here" in text
    assert "versions.tooltune0.1.0" in text


def test_the_page_needs_nothing_from_outside_and_runs_no_script(finished_run: Path) -> None:
    source, page = read_page(finished_run)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "embed"}
    for tag, values in page.tags:
        assert not any(name.startswith("on") for name in values), (tag, values)
        for name in ("src", "href"):
            assert (values.get(name) or "#").startswith(("#", "data:")), (tag, values)
    assert "url(http" not in source
    assert "@import" not in source


def test_text_of_users_models_and_tools_stands_as_text(finished_run: Path) -> None:
    _, page = read_page(finished_run)
    assert "what does notes/0.md say? </blockquote><script>alert(1)</script>" in page.text
    assert "<script>document.title='owned'</script>" in page.text
    assert "I am an AI assistant. <img src=x onerror=alert(1)>" in page.text
    assert "<b>bold</b>" in page.text
    assert 'path="a \\"b\\" <i>&amp;"' in page.text


def test_the_same_run_gives_the_same_bytes(finished_run: Path) -> None:
    assert read_page(finished_run)[0] == read_page(finished_run)[0]


@pytest.mark.parametrize(
    ("lost", "chapter", "message"),
    [
        ("evaluate", "results", "The run was not evaluated yet (no evaluate/summary.json)"),
        ("evaluate", "predictions", "run `tooltune evaluate`"),
        ("evaluate", "data", "The test split"),
        ("metrics.jsonl", "training", "Curves: metrics.jsonl is not there"),
        ("adapter", "data", "The rendered example"),
        ("run.json", "versions", "run.json is not there"),
        ("../train.jsonl", "data", "The train split"),
    ],
)
def test_what_a_run_lacks_is_named_in_its_chapter(
    finished_run: Path, lost: str, chapter: str, message: str
) -> None:
    (finished_run / lost).rename(finished_run.parent / "elsewhere")
    (section,) = [made for make in SECTIONS if (made := make(RunDir(finished_run))).name == chapter]
    assert any(message in line for line in section.missing)


def test_a_run_with_nothing_but_its_recipe_still_gets_a_page(finished_run: Path) -> None:
    for lost in ("evaluate", "metrics.jsonl", "adapter", "run.json"):
        (finished_run / lost).rename(finished_run.parent / f"{lost}.away")
    source, page = read_page(finished_run)
    assert "Trained, not evaluated yet" in page.text
    for chapter in ("results", "failures", "predictions", "data", "training", "versions"):
        (body,) = re.findall(rf'<section id="{chapter}">(.*?)</section>', source, re.DOTALL)
        assert '<p class="missing">Missing. ' in body


def test_a_broken_metrics_file_is_an_error_and_leaves_no_page(finished_run: Path) -> None:
    (finished_run / "metrics.jsonl").write_text("{\n")
    with pytest.raises(DataError, match=r"metrics\.jsonl:1: not valid JSON"):
        write_report(RunDir(finished_run))
    assert not (finished_run / "report.html").exists()


@pytest.mark.parametrize(
    ("rate", "text"), [(0.0, "0"), (0.004, "1"), (0.5, "50"), (0.996, "99"), (1.0, "100")]
)
def test_only_all_and_nothing_round_to_100_and_0_percent(rate: float, text: str) -> None:
    assert format_percent(rate) == f"{text}\xa0%"


def test_no_rate_is_a_dash() -> None:
    assert format_percent(None) == "–"


def test_the_marked_tokens_are_those_that_carry_loss(finished_run: Path) -> None:
    conversations = read_conversations(finished_run.parent / "train.jsonl").conversations
    example = choose_example(conversations)
    assert example is not None
    assert example.ability == "chain"
    (spans,) = mark_trained(example, Renderer.from_folder(finished_run / "adapter"))
    trained = [span.head for span in spans if span.is_trained]
    assert trained == [
        '<tool_call>read_file {"path": "notes/<script>.txt"}<|im_end|>',
        "It says: alert & <script>alert(1)</script><|im_end|>",
    ]
    catalog = spans[0]
    assert len(catalog.folded) > 0
    assert len(catalog.head + catalog.folded + catalog.tail) > FOLD_CHARACTERS
    assert (catalog.head + catalog.folded + catalog.tail).count("(path?: string)") == 3


def test_without_conversations_there_is_no_example() -> None:
    assert choose_example([]) is None


def record(number: int, ability: str, is_right: bool) -> dict[str, Any]:
    return {"id": str(number), "ability": ability, "right": is_right}


def test_predictions_go_round_the_abilities_and_show_right_and_wrong() -> None:
    tuned = [record(i, "single", i != 7) for i in range(10)]
    tuned += [record(10, "chain", False), record(11, "chain", False), record(12, "talk", True)]
    base = [record(i, row["ability"], False) for i, row in enumerate(tuned)]
    chosen = choose_predictions(base, tuned, count=6)
    assert [mine["id"] for _, mine in chosen] == ["0", "7", "1", "10", "11", "12"]
    assert all(theirs["id"] == mine["id"] for theirs, mine in chosen)


def test_there_are_as_many_predictions_as_there_are_cases() -> None:
    tuned = [record(0, "ask", True), record(1, "ask", True)]
    assert len(choose_predictions(tuned, tuned)) == 2
    assert choose_predictions([], []) == []
    assert choose_predictions(tuned[:1], tuned) == [(tuned[0], tuned[0])]


def test_whiskers_stand_at_their_percentages_and_say_them() -> None:
    svg = draw_whiskers(
        [
            ("base", {"rate": None, "low": None, "high": None, "why": "no cases"}),
            ("tuned", {"rate": 0.5, "low": 0.25, "high": 0.75}),
        ]
    )
    assert 'x1="25.00%" x2="75.00%"' in svg
    assert 'cx="50.00%"' in svg
    assert 'aria-label="tuned 50 %"' in svg
    assert 'class="base"' not in svg


def test_the_curve_takes_the_pages_colours_and_keeps_its_text() -> None:
    loss = [(step, 3.0 / step) for step in range(1, 60)]
    rates = [(step, 1e-4) for step in range(1, 60)]
    forms = [
        draw_training(
            loss=loss,
            validation_loss=[],
            validation_accuracy=[],
            learning_rate=rates,
            is_narrow=narrow,
        )
        for narrow in (False, True)
    ]
    for svg in forms:
        assert "var(--tuned)" in svg
        assert "#0a0b0" not in svg
        for label in ("loss per supervised token", "learning rate", ">step<"):
            assert label in svg
        assert ">validation<" not in svg
        assert "turns right" not in svg
    wide, narrow = (set(re.findall(r'<clipPath id="(\w+)"', svg)) for svg in forms)
    assert wide.isdisjoint(narrow), "both stand in one page"


def test_one_step_is_enough_for_a_curve() -> None:
    point = [(1, 2.0)]
    svg = draw_training(
        loss=point, validation_loss=point, validation_accuracy=point, learning_rate=[(1, 0.0)]
    )
    assert "turns right" in svg
    assert "in 1 steps" in svg


def test_smoothing_keeps_a_straight_line_and_its_ends() -> None:
    line = [(step, 2.0 * step) for step in range(100)]
    assert [value for _, value in smooth(line)] == pytest.approx([value for _, value in line])
    bumpy = [(step, float(step % 2)) for step in range(200)]
    assert {value for _, value in smooth(bumpy)[50:150]} == {5 / 11, 6 / 11}
