"""Intervals and paired tests against published or hand-worked values."""

import pytest

from tooltune.evaluate.stats import mcnemar, wilson


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_newcombes_published_wilson_interval(right, n, low, high):
    rate = wilson(right, n)
    assert rate.rate == right / n
    assert rate.low == pytest.approx(low, abs=5e-5)
    assert rate.high == pytest.approx(high, abs=5e-5)


def test_all_right_and_none_right_reach_exactly_one_and_zero():
    assert wilson(7, 7).high == 1.0
    assert wilson(0, 7).low == 0.0
    assert wilson(0, 7).high == pytest.approx(1 - wilson(7, 7).low)


def test_no_cases_give_no_number_but_a_reason():
    assert wilson(0, 0).to_dict() == {"rate": None, "low": None, "high": None, "why": "no cases"}


def test_more_right_than_cases_is_our_own_mistake():
    with pytest.raises(AssertionError):
        wilson(3, 2)


@pytest.mark.parametrize(
    ("base_only", "tuned_only", "p"),
    [
        (0, 5, 2 / 32),  # both tails of five fair coins
        (1, 5, 2 * (1 + 6) / 64),
        (3, 3, 1.0),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
    ],
)
def test_mcnemar_is_the_two_sided_binomial_test_of_the_differing_cases(base_only, tuned_only, p):
    assert mcnemar(base_only, tuned_only).p == pytest.approx(p)
    assert mcnemar(tuned_only, base_only).p == pytest.approx(p)


def test_mcnemar_without_a_differing_case_gives_a_reason():
    assert mcnemar(0, 0).p is None
    assert "same cases right" in mcnemar(0, 0).to_dict()["why"]
