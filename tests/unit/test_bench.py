"""The benchmark's workloads are the fixed ones, and its file has the shape others read."""

from dataclasses import replace

import numpy as np
import pytest

from bench.outcome import Result, summarise
from bench.workloads import WORKLOADS, Workload, draw_step
from tooltune.packing.tree import build_tree

SMOLLM2_VOCABULARY = 49_152
READY = {"trainer": "tooltune fp32", "matrix_flops_per_second": 4e9}


def tree_of(workload: Workload, step: int = 1):
    return build_tree(draw_step(workload, step, SMOLLM2_VOCABULARY))


@pytest.mark.parametrize(
    ("name", "logical", "distinct", "supervised"),
    [
        ("one-catalog", 16 * 720, 600 + 16 * 120, 16 * 60),
        ("large-catalog", 16 * 1600, 1500 + 16 * 100, 16 * 40),
        ("no-sharing", 16 * 720, 16 * 720, 16 * 60),
        ("multi-turn", 4 * (750 + 900 + 1050 + 1200), 600 + 4 * 4 * 150, 16 * 60),
    ],
)
def test_a_workload_has_the_tokens_the_design_fixes(
    name: str, logical: int, distinct: int, supervised: int
) -> None:
    workload = WORKLOADS[name]
    for step in range(1, 6):
        tree = tree_of(workload, step)
        assert tree.logical_tokens == logical
        assert tree.distinct_tokens == distinct
        assert tree.supervised_tokens == supervised
        assert len(tree.leaf_S) == workload.examples == 16


@pytest.mark.parametrize(
    ("name", "ratio"),
    [("one-catalog", 4.57), ("large-catalog", 8.26), ("no-sharing", 1.0), ("multi-turn", 5.2)],
)
def test_sharing_ratios(name: str, ratio: float) -> None:
    assert tree_of(WORKLOADS[name]).sharing_ratio == pytest.approx(ratio, abs=0.005)


def test_a_step_is_drawn_from_its_number_alone() -> None:
    first, again, other = (draw_step(WORKLOADS["multi-turn"], step, 512) for step in (3, 3, 4))
    assert all((a.tokens == b.tokens).all() for a, b in zip(first, again, strict=True))
    assert any((a.tokens != b.tokens).any() for a, b in zip(first, other, strict=True))


def test_sequences_of_one_length_stand_side_by_side() -> None:
    lengths = [len(sequence.tokens) for sequence in draw_step(WORKLOADS["multi-turn"], 1, 512)]
    assert lengths == [750] * 4 + [900] * 4 + [1050] * 4 + [1200] * 4


def test_a_conversation_branches_at_its_end_even_in_a_small_vocabulary() -> None:
    for step in range(20):
        tree = build_tree(draw_step(WORKLOADS["no-sharing"], step, 132))
        assert tree.distinct_tokens == 16 * 720


def records(seconds: list[float], losses: list[float], peak_gib: float) -> list[dict[str, float]]:
    return [
        {"seconds": s, "loss": loss, "peak_gib": peak_gib, "flops": 8e9}
        for s, loss in zip(seconds, losses, strict=True)
    ]


def one_result(peer_losses: list[float]) -> Result:
    return Result(
        WORKLOADS["one-catalog"],
        READY,
        records([99.0, 4.0, 4.0], [3.0, 2.0, 1.0], 1.5),
        {"trainer": "trl 1.16.0 fp32"},
        records([99.0, 40.0, 56.0], peer_losses, 6.0),
    )


def test_the_file_has_the_fixed_shape() -> None:
    summary = summarise([one_result([3.0, 2.0, 1.0])], "cpu")
    assert set(summary) == {"machine", "workloads", "matrix_rate_fraction"}
    assert "cores" in summary["machine"]
    assert summary["matrix_rate_fraction"] == 0.5  # 8e9 operations in 4 s at 4e9 a second
    assert summary["workloads"] == {
        "one-catalog": {
            "examples_per_second": 4.0,
            "peer_examples_per_second": 0.3333,
            "peer": "trl 1.16.0 fp32",
            "ratio": 12.0,
            "peak_gib": 1.5,
            "peer_peak_gib": 6.0,
            "memory_ratio": 0.25,
            "loss": 2.0,
            "peer_loss": 2.0,
        }
    }


def with_recomputed(losses: list[float], trainer: str = "tooltune fp32") -> Result:
    result = one_result([3.0, 2.0, 1.0])
    ours = records([99.0, 8.0, 8.0], losses, 1.2)
    ready = READY | {"trainer": trainer}
    result.others = [replace(result, ready=ready, ours=ours, setting="recomputed")]
    return result


def test_other_settings_are_told_beside_the_fastest() -> None:
    summary = summarise([with_recomputed([3.0, 2.0, 1.0])], "cpu")
    entry = summary["workloads"]["one-catalog"]
    assert entry["recomputed"] == {
        "examples_per_second": 2.0,
        "ratio": 6.0,
        "peak_gib": 1.2,
        "memory_ratio": 0.2,
        "loss": 2.0,
    }
    assert (entry["ratio"], summary["matrix_rate_fraction"]) == (12.0, 0.5)


def test_a_loss_that_differs_in_another_setting_is_seen() -> None:
    assert not with_recomputed([3.0, 2.0, 1.0]).differing_losses()
    assert with_recomputed([3.0, 2.0, 1.002]).differing_losses() == [
        "one-catalog, recomputed: the losses differ by 2.0e-03 of their size (at most 1e-04 "
        "expected): not the same training."
    ]
    assert not with_recomputed([3.0, 2.0, 1.002], "tooltune q8_0 fp32").differing_losses()
    assert with_recomputed([3.0, 2.0, 1.02], "tooltune q8_0 fp32").differing_losses()


def test_a_second_peer_is_told_beside_the_first() -> None:
    result = one_result([3.0, 2.0, 1.0])
    ready, steps = {"trainer": "unsloth 2026 bf16"}, records([99.0, 20.0, 20.0], [3.1, 2.1, 1], 3.0)
    result.unsloth = replace(result, peer_ready=ready, peer=steps, setting="beside unsloth")
    entry = summarise([result], "cpu")["workloads"]["one-catalog"]
    assert (entry["peer"], entry["ratio"]) == ("trl 1.16.0 fp32", 12.0)
    assert entry["unsloth"] == {
        "peer": "unsloth 2026 bf16",
        "peer_examples_per_second": 0.8,
        "ratio": 5.0,
        "peer_peak_gib": 3.0,
        "memory_ratio": 0.5,
        "peer_loss": 2.1,
    }
    assert [row.name for row in result.rows()] == ["one-catalog", "one-catalog, beside unsloth"]
    [sentence] = result.differing_losses()
    assert sentence.startswith("one-catalog, beside unsloth: the losses differ by 4.8e-02")


def test_without_a_peer_its_figures_are_none() -> None:
    result = Result(WORKLOADS["no-sharing"], READY, records([9.0, 8.0], [3.0, 2.0], 1.5))
    entry = summarise([result], "cpu")["workloads"]["no-sharing"]
    assert {name for name, value in entry.items() if value is None} == {
        "peer_examples_per_second",
        "peer",
        "ratio",
        "peer_peak_gib",
        "memory_ratio",
        "peer_loss",
    }
    assert not result.differing_losses()


def test_losses_that_differ_are_seen() -> None:
    assert not one_result([3.0, 2.0, 1.00009]).differing_losses()
    assert one_result([3.0, 2.0, 1.01]).differing_losses() == [
        "one-catalog: the losses differ by 9.9e-03 of their size (at most 1e-04 expected): not the "
        "same training."
    ]
    assert np.isclose(one_result([3.0, 2.0, 1.0]).best_ratio, 10.0)
