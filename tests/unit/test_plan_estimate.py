"""Steps, tokens, operations, time, cost and advice of the closed form."""

import datetime
from dataclasses import replace

import numpy as np
import pytest

from tooltune.config import LINEAR_LAYERS, Recipe
from tooltune.errors import ConfigError
from tooltune.packing.tree import TokenSequence
from tooltune.plan.advice import notes, suggest_changes
from tooltune.plan.duration import flops_per_token
from tooltune.plan.estimate import Request, cheapest, make_job, plan, to_dict
from tooltune.plan.memory import TRAINERS, estimate_memory
from tooltune.plan.shape import count_parameters
from tooltune.plan.table import advise
from tooltune.plan.tables import load_tables
from tooltune.plan.workload import workload_from_averages, workload_from_examples

TODAY = datetime.date(2026, 11, 22)


def averages(**changes):
    values = {
        "examples": 15_694,
        "mean_tokens": 900,
        "prefix_tokens": 500,
        "examples_per_step": 16,
        "micro_batch_tokens": 8192,
        "shares_prefixes": True,
    }
    return workload_from_averages(**{**values, **changes})


def request(model="Qwen/Qwen3-1.7B", trainer="tooltune", **changes):
    shares = TRAINERS[trainer].shares_prefixes
    return Request(
        recipe=Recipe(),
        shape=load_tables().shape(model),
        workload=averages(shares_prefixes=shares, **changes),
        trainer=TRAINERS[trainer],
        tables=load_tables(),
        today=TODAY,
    )


def on(name, made_request):
    return plan(made_request, device=load_tables().device(name))


def test_auto_recomputes_only_where_the_plan_needs_it():
    """Without recomputing the default job takes 19 GiB: above a T4, far below 80 GB."""
    made = request()
    train = made.recipe.train.model_copy(update={"activation_checkpointing": "auto"})
    auto = replace(made, recipe=made.recipe.model_copy(update={"train": train}))
    tables = load_tables()
    small, large = tables.device("t4"), tables.device("h100")
    assert make_job(auto, small).checkpointing
    assert not make_job(auto, large).checkpointing
    needed = estimate_memory(make_job(auto, large), "lora").total / 2**20
    assert make_job(auto, large.model_copy(update={"memory_mib": needed * 1.05})).checkpointing
    assert not make_job(auto, large.model_copy(update={"memory_mib": needed * 1.10})).checkpointing


def test_the_last_partial_update_counts():
    assert averages().steps_per_epoch == 981
    assert plan(request()).steps_total == 2943
    assert averages(examples=15_680).steps_per_epoch == 980


def test_a_shared_prefix_is_computed_once_in_each_update():
    workload = averages()
    assert workload.micro_batches == 981
    assert workload.computed_tokens == 981 * 500 + 15_694 * 400
    assert workload.logical_tokens == 15_694 * 900


def test_a_small_budget_computes_the_prefix_once_and_keeps_it_in_memory():
    """2,100 tokens hold the prefix and 4 examples of 400 own tokens: 1 + 4 passes an update."""
    workload = averages(micro_batch_tokens=2100, examples=32)
    assert workload.micro_batches == 2 * (1 + 4)
    assert workload.computed_tokens == 2 * 500 + 32 * 400
    assert workload.largest_micro_batch_tokens == 2100


def test_averages_agree_with_real_sequences_of_those_lengths():
    """Prefix of 20, own part of 12, 10 examples, 4 an update."""
    rng = np.random.default_rng(7)
    prefix = np.arange(1000, 1020)
    examples = [
        [
            TokenSequence(
                np.concatenate([prefix, [index], rng.integers(0, 900, 11)]).astype(np.int32),
                np.ones(32, dtype=np.uint8),
            )
        ]
        for index in range(10)
    ]
    common = {"examples_per_step": 4, "micro_batch_tokens": 64, "shares_prefixes": True}
    measured = workload_from_examples(examples, [0] * 10, seed=1, **common)
    derived = workload_from_averages(examples=10, mean_tokens=32, prefix_tokens=20, **common)
    assert measured.computed_tokens == derived.computed_tokens
    assert measured.steps_per_epoch == derived.steps_per_epoch == 3
    assert measured.micro_batches == derived.micro_batches
    assert measured.mean_depth_tokens == pytest.approx(derived.mean_depth_tokens, rel=0.05)
    assert measured.basis == "measured"


def test_padding_counts_where_rows_are_padded():
    """Rows of 10 and 30 tokens are computed as two of 30."""
    examples = [
        [TokenSequence(np.arange(n, dtype=np.int32), np.ones(n, dtype=np.uint8))] for n in (10, 30)
    ]
    workload = workload_from_examples(
        examples,
        [0, 0],
        examples_per_step=2,
        micro_batch_tokens=100,
        shares_prefixes=False,
        seed=0,
    )
    assert workload.computed_tokens == 60
    assert workload.logical_tokens == 40


@pytest.mark.parametrize(
    ("checkpointing", "method", "expected_gflop"),
    [
        (False, "lora", 5.742),
        (True, "lora", 8.595),
        (False, "full", 8.4557),
        (True, "full", 10.5696),
    ],
)
def test_operations_equal_the_flop_counter_on_the_linear_layers(
    checkpointing, method, expected_gflop
):
    """Attention and the head taken away: torch's FlopCounterMode counted them apart."""
    made = request()
    made = replace(made, workload=replace(made.workload, mean_depth_tokens=0, supervised_tokens=0))
    job = make_job(made, load_tables().device("a100-80"))
    job = replace(job, checkpointing=checkpointing)
    assert flops_per_token(job, made.workload, method) / 1e9 == pytest.approx(
        expected_gflop, rel=1e-3
    )


def test_the_head_of_a_plain_trainer_costs_four_operations_a_weight():
    made = request(trainer="transformers")
    made = replace(made, workload=replace(made.workload, mean_depth_tokens=0))
    job = make_job(made, load_tables().device("t4"))
    counted = count_parameters(made.shape, rank=16, target_modules=LINEAR_LAYERS)
    head = flops_per_token(job, made.workload, "lora") - 6 * counted.linear
    head -= 8 * counted.lora_trainable
    assert head / 1e9 == pytest.approx(1.2447, rel=1e-4)


@pytest.mark.parametrize(
    ("mean_tokens", "low", "high"), [(350, 3.5, 4.4), (512, 5.1, 6.5), (1024, 10.5, 13.4)]
)
def test_hours_on_a_t4_follow_from_published_step_times(mean_tokens, low, high):
    made = on("t4", request(trainer="trl", mean_tokens=mean_tokens, prefix_tokens=0))
    found_low, _, found_high = made.chosen.duration.hours
    assert found_low == pytest.approx(low, rel=0.03)
    assert found_high == pytest.approx(high, rel=0.03)


def test_our_own_rate_is_never_called_measured():
    assert on("t4", request()).chosen.duration.basis == "derived"
    assert on("t4", request(trainer="trl")).chosen.duration.basis == "measured"


def test_small_micro_batches_are_bound_by_kernel_launches():
    made = on("h100", request(trainer="trl", mean_tokens=100, prefix_tokens=0))
    assert made.chosen.duration.bound == "kernel launches"


def test_the_cheapest_that_fits_is_chosen_when_no_device_is_named():
    made = plan(request())
    usd = [row.usd[1] for row in made.devices if row.usd and row.fits("lora")]
    assert made.chosen.usd[1] == min(usd)


def test_budget_and_deadline_both_bind():
    made = plan(request())
    soon = cheapest(made.devices, deadline_hours=0.5)
    assert soon is not None
    assert soon.duration.hours[1] <= 0.5
    assert cheapest(made.devices, deadline_hours=0.5, budget_usd=0.1) is None


def test_full_fine_tuning_does_not_fit_a_t4_and_lora_does():
    made = on("t4", request())
    assert {method: made.chosen.fits(method) for method in ("full", "lora", "qlora")} == {
        "full": False,
        "lora": True,
        "qlora": True,
    }
    assert suggest_changes(made) == []


def test_what_does_not_fit_gets_changes_with_their_effect():
    changes = suggest_changes(on("t4", request(trainer="transformers", mean_tokens=2048)))
    assert [change.fits for change in changes] == [True, True, False]
    for change in changes:
        assert change.total_gib_after < change.total_gib_before


def test_when_no_single_change_is_enough_they_are_combined():
    changes = suggest_changes(on("t4", request("Qwen/Qwen3-8B", "transformers")))
    assert changes[-1].fits
    assert changes[-1].change.startswith("all at once")
    assert not any(change.fits for change in changes[:-1])


def quantized(kind, model="Qwen/Qwen3-8B"):
    asked = request(model)
    section = asked.recipe.model.model_copy(update={"quantization": kind})
    return replace(asked, recipe=asked.recipe.model_copy(update={"model": section}))


def test_a_recipe_that_quantises_is_judged_by_what_it_trains():
    whole, eight, four = (on("t4", quantized(kind)) for kind in (None, "q8_0", "nf4"))
    assert [made.chosen.fits() for made in (whole, eight, four)] == [False, False, True]
    assert whole.chosen.peak_gib > eight.chosen.peak_gib > four.chosen.peak_gib
    assert to_dict(four)["fits"]
    assert to_dict(four)["method"] == "qlora"
    assert advise(four, budget_usd=None, deadline_hours=None)[0].startswith("QLoRA fits")


@pytest.mark.parametrize(("is_processor", "kind"), [(False, "nf4"), (True, "q8_0")])
def test_fewer_bits_are_suggested_where_they_can_be_had(is_processor, kind):
    small = load_tables().device("t4").model_copy(update={"is_processor": is_processor})
    made = plan(request("Qwen/Qwen3-8B"), device=small)
    words = [change.change for change in suggest_changes(made)]
    assert any(kind in text for text in words)
    assert not any({"nf4": "q8_0", "q8_0": "nf4"}[kind] in text for text in words)


def test_an_unknown_price_stays_unknown():
    tables = replace(load_tables(), prices=())
    made = plan(replace(request(), tables=tables), device=tables.device("t4"))
    answer = to_dict(made)
    assert answer["usd"] is None
    assert answer["usd_range"] is None
    assert answer["hours"] > 0


def test_an_old_price_is_called_old():
    offers = {price.provider: price for price in load_tables().offers("h100")}
    assert offers["RunPod"].age_note(TODAY) is None
    assert offers["OpenRelay"].age_note(TODAY) == "price 63 days old"
    assert load_tables().offers("t4")[0].age_note(TODAY) == "price page undated"


def test_a_t4_plan_says_that_it_has_no_bfloat16():
    assert any("no bfloat16" in note for note in notes(on("t4", request())))


def test_own_tables_replace_and_add_rows(tmp_path):
    own = tmp_path / "tables.toml"
    own.write_text(
        '[[price]]\ndevice = "t4"\nprovider = "Hugging Face Jobs"\noffer = "mine"\n'
        'usd_per_hour = 0.1\nas_of = 2026-11-20\nsource = "my bill"\n'
    )
    offers = load_tables(own).offers("t4")
    assert [price.offer for price in offers] == ["mine", "T4"]


def test_a_wrong_row_of_own_tables_is_named(tmp_path):
    own = tmp_path / "tables.toml"
    own.write_text('[[price]]\ndevice = "t4"\n')
    with pytest.raises(ConfigError, match=r"tables.toml: row 1: provider: Field required"):
        load_tables(own)


def test_an_unknown_device_gets_the_nearest_name():
    with pytest.raises(ConfigError, match=r"got 'a100'.*Did you mean a100-"):
        load_tables().device("a100")


@pytest.mark.parametrize(("mean", "prefix"), [(1, 0), (900, 900), (900, -1)])
def test_impossible_averages_are_refused(mean, prefix):
    with pytest.raises(ConfigError):
        averages(mean_tokens=mean, prefix_tokens=prefix)
