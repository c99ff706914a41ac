"""Fake-tensor peaks against published T4 runs, and against our engine on real tensors.

All eleven published runs in the closed form; four of them by dry run, because each takes seconds
(the other seven: `python -m tests.data.published_t4`).
"""

from dataclasses import replace

import pytest
import torch
from tests.data.published_t4 import RUNS, predict_by_dry_run, predict_in_closed_form
from torch.utils.flop_counter import FlopCounterMode

from tooltune.config import LINEAR_LAYERS
from tooltune.errors import ConfigError
from tooltune.model.compiled import in_pytorch
from tooltune.model.load import SUPPORTED
from tooltune.plan.dry_run import (
    AllocationTracker,
    build_model,
    dry_run,
    dry_run_job,
    engine_step,
    refine_plan,
)
from tooltune.plan.duration import flops_per_token
from tooltune.plan.estimate import plan
from tooltune.plan.memory import TRAINERS, Job, estimate_memory, layer_bytes_per_token
from tooltune.plan.request import make_request
from tooltune.plan.shape import LEAN_FAMILIES
from tooltune.plan.tables import load_tables
from tooltune.plan.workload import workload_from_averages

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing:FutureWarning"  # peft 0.21.2
)


def engine_job(**changes):
    values = {
        "shape": load_tables().shape("smollm2-135m"),
        "trainer": TRAINERS["tooltune"],
        "dtype": "float32",
        "rank": 16,
        "target_modules": LINEAR_LAYERS,
        "micro_batch_tokens": 1000,
        "sequence_tokens": 1000,
        "checkpointing": False,
    }
    return Job(**{**values, **changes})


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.title)
def test_published_t4_runs_are_predicted_within_8_percent_in_closed_form(run):
    assert predict_in_closed_form(run) == pytest.approx(run.measured_mib, rel=0.08)


@pytest.mark.parametrize("run", [RUNS[0], RUNS[4], RUNS[7], RUNS[9]], ids=lambda run: run.title)
def test_published_t4_runs_are_predicted_within_3_percent_by_the_dry_run(run):
    found = predict_by_dry_run(run)
    assert found.gpu_bytes / 2**20 == pytest.approx(run.measured_mib, rel=0.03)
    assert found.peak_bytes / 2**20 == pytest.approx(run.measured_mib, rel=0.03)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_closed_form_of_our_engine_agrees_with_its_dry_run(checkpointing, dtype):
    job = engine_job(checkpointing=checkpointing, dtype=dtype, micro_batch_tokens=4000)
    ran = dry_run_job(job)
    # The closed form counts cuBLAS's workspace; the fake run has only tensors.
    tensors_and_workspace = ran.peak_bytes + 16 * 2**20
    assert estimate_memory(job, "lora").allocated == pytest.approx(tensors_and_workspace, rel=0.08)


@pytest.mark.parametrize("dropped", [("up_proj",), ("k_proj", "gate_proj"), ()])
def test_a_norm_is_kept_where_one_of_its_readers_has_no_adapter(dropped):
    """Slope of the fake-tensor peak over tokens and layers."""
    targets = tuple(name for name in LINEAR_LAYERS if name not in dropped)
    job = engine_job(target_modules=targets)

    def peak(tokens, layers):
        shape = replace(job.shape, layers=layers)
        return dry_run_job(replace(job, shape=shape, micro_batch_tokens=tokens)).peak_bytes

    slopes = [peak(tokens, 5) - peak(tokens, 3) for tokens in (512, 1024)]
    assert (slopes[1] - slopes[0]) / (2 * 512) == layer_bytes_per_token(job, "lora")


@pytest.mark.parametrize("model", ["Qwen/Qwen3-0.6B", "google/gemma-3-1b-it"])
def test_only_layers_of_ours_store_16_bits_where_float32_computes(model):
    job = engine_job(shape=load_tables().shape(model), dtype="float32")
    counted = job.parameters()
    linear = 2 if model.startswith("Qwen") else 4
    whole = 4 * (counted.embedding + counted.other) + linear * counted.linear
    assert estimate_memory(job, "lora").weights == whole
    assert estimate_memory(replace(job, trainer=TRAINERS["trl"]), "lora").weights == (
        4 * counted.total
    )
    assert SUPPORTED == LEAN_FAMILIES


@pytest.mark.parametrize("checkpointing", [False, True])
def test_layers_below_the_adapter_cost_their_weights_only(checkpointing):
    """Against the dry run of the whole model, all its layers run, and the closed form."""
    shape = replace(load_tables().shape("smollm2-135m"), layers=6)
    job = engine_job(shape=shape, first_layer=3, checkpointing=checkpointing)
    composed = dry_run_job(job).peak_bytes
    step = engine_step(job, kernel="segments")
    whole = dry_run(replace(shape, layers=4), lambda _: build_model(job, 6), step)
    assert composed == pytest.approx(whole.peak_bytes, rel=0.01)
    assert estimate_memory(job, "lora").allocated == pytest.approx(composed, rel=0.12)
    every = engine_job(shape=shape, checkpointing=checkpointing)
    assert composed < (0.97 if checkpointing else 0.9) * dry_run_job(every).peak_bytes
    assert estimate_memory(job, "full") == estimate_memory(every, "full")


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("first_layer", [0, 4])
def test_planned_operations_are_those_of_a_step(first_layer, checkpointing):
    """But for attention, which the counter does not know on a processor, and the gradient of the
    first adapted layer's inputs, which nobody needs. Nor does it know what is compiled."""
    shape = replace(load_tables().shape("smollm2-135m"), layers=8)
    job = engine_job(shape=shape, first_layer=first_layer, checkpointing=checkpointing)
    tokens = 400
    job = replace(job, micro_batch_tokens=tokens)
    model = build_model(job, shape.layers).to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.zero_()
    with in_pytorch(), FlopCounterMode(display=False) as counter:
        engine_step(job, kernel="segments")(model)
    epoch = workload_from_averages(
        examples=1,
        mean_tokens=tokens,
        prefix_tokens=0,
        examples_per_step=1,
        micro_batch_tokens=tokens,
        shares_prefixes=True,
    )
    planned = tokens * flops_per_token(job, replace(epoch, mean_depth_tokens=0.0), "lora")
    assert counter.get_total_flops() == pytest.approx(planned, rel=0.02)


def test_the_tracker_counts_a_storage_until_it_dies():
    with AllocationTracker() as tracker:
        first = torch.empty(1000, dtype=torch.float32)
        view = first[10:]
        second = torch.empty(128, dtype=torch.float32)
        assert tracker.current == 4096 + 512  # blocks of 512 bytes; a view is no storage
        del first
        assert tracker.current == 4096 + 512
        del view, second
        assert tracker.current == 0
    assert tracker.peak == 4096 + 512


def test_the_dry_run_refines_the_chosen_device_only():
    tables = load_tables()
    request = make_request(model="smollm2-135m", examples="64", mean_tokens=400)
    made = plan(request, device=tables.device("t4"))
    refined = refine_plan(made)
    assert refined.tier == "dry run"
    before, after = made.chosen.memory["lora"].total, refined.chosen.memory["lora"].total
    assert after == pytest.approx(before, rel=0.1)
    assert refined.devices[1] is made.devices[1]


def test_a_trainer_that_is_not_ours_is_refused_by_the_dry_run():
    request = make_request(examples="64", mean_tokens=400, trainer="trl")
    with pytest.raises(ConfigError, match=r"executes tooltune's own engine .got trainer trl"):
        refine_plan(plan(request, device=load_tables().device("t4")))
