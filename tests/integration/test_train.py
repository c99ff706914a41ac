"""A whole run of training on a tiny Llama: what it learns, leaves behind, and survives.

Exactness of one step is shown in gradient/, the command line in cli/test_story.py.
"""

import io
import math
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from tooltune.chat.render import Renderer
from tooltune.config import Recipe, TrainSection, dump_recipe, parse_recipe
from tooltune.data.examples import read_examples
from tooltune.data.readers import read_conversations
from tooltune.errors import ConfigError, DataError, ModelError
from tooltune.jsonl import read_json, write_jsonl
from tooltune.messages import Conversation, Message, Tool, ToolCall
from tooltune.model import compiled
from tooltune.model.load import load_base
from tooltune.model.lora import (
    adapter_disabled,
    attach_lora,
    lora_layers,
    trainable_parameters,
)
from tooltune.packing.tree import build_tree
from tooltune.rundir import RunDir, create_run, moved_aside, open_run
from tooltune.train.checkpoint import whole_folder
from tooltune.train.gradients import summed_loss
from tooltune.train.loop import train
from tooltune.train.step import (
    held_out_losses,
    require_untouched_base,
    train_step,
)

CITIES = ("Oslo", "Lima", "Cairo", "Quito", "Delhi", "Rome", "Tunis", "Accra", "Baku", "Hanoi")
TIMINGS = {"tokens_per_second", "seconds", "peak_memory_gib"}
LAST_STEP = 15
LEARNED_NATS = 0.3
"""A random model's frozen head can say little, so the loss stays far above zero. It falls by
0.40 to 0.49 with the recipe's seed and by 0.20 to 0.38 with five others, whatever dropout draws."""
GET_TIME = Tool(
    name="get_time",
    description="Current time of a city.",
    input_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
)


def time_asked(number: int) -> Conversation:
    city = CITIES[number % 10]
    call = ToolCall(id="c0", name="get_time", arguments={"city": city})
    messages = (
        Message(role="system", content="Use the tools."),
        Message(role="user", content=f"Question {number}: what time is it in {city}?"),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content=f"1{number % 10}:30", tool_call_id="c0"),
        Message(role="assistant", content=f"It is 1{number % 10}:30 in {city}."),
    )
    return Conversation(id=f"time-{number}", messages=messages, tools=(GET_TIME,), ability="single")


def greeted(number: int) -> Conversation:
    city = CITIES[number % 10]
    messages = (
        Message(role="system", content="Use the tools."),
        Message(role="user", content=f"Hello from {city}, I am guest {number}."),
        Message(role="assistant", content=f"Welcome, guest from {city}!"),
    )
    return Conversation(id=f"talk-{number}", messages=messages, tools=(GET_TIME,), ability="talk")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 conversations to train on and 10 to validate."""
    folder = tmp_path_factory.mktemp("data")
    rows = [make(number) for number in range(25) for make in (time_asked, greeted)]
    write_jsonl(folder / "train.jsonl", [row.to_dict() for row in rows[:40]])
    write_jsonl(folder / "validation.jsonl", [row.to_dict() for row in rows[40:]])
    return folder


@pytest.fixture(scope="module")
def recipe(data: Path, tiny_llama_folder: Path) -> Recipe:
    """15 steps of 8 examples in several micro-batches, with dropout and recomputation."""
    files = {name: str(data / f"{name}.jsonl") for name in ("train", "validation")}
    values = {
        "model": {"name": str(tiny_llama_folder), "dtype": "float32", "device": "cpu"},
        "data": files,
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.05},
        "train": {
            "seed": 0,
            "learning_rate": 2e-2,
            "examples_per_step": 8,
            "micro_batch_tokens": 700,
            "validate_every_steps": 5,
            "checkpoint_every_steps": 4,
            "activation_checkpointing": True,
        },
    }
    return parse_recipe(values, where="test")


def changed(recipe: Recipe, section: str, **values: object) -> Recipe:
    part = getattr(recipe, section).model_copy(update=values)
    return recipe.model_copy(update={section: part})


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, str]:
    """The run nobody disturbed, and what it printed."""
    run, printed = create_run(tmp_path_factory.mktemp("runs") / "whole"), io.StringIO()
    train(recipe, run, resume=False, console=Console(file=printed, width=150))
    return run, printed.getvalue()


class Watched(io.StringIO):
    """A console that acts once when a line of the log says so."""

    def __init__(self, awaited: str, act: Callable[[], object]) -> None:
        super().__init__()
        self.awaited, self.act = awaited, act

    def write(self, text: str) -> int:
        if self.awaited in text:
            self.awaited = "never again"
            self.act()
        return super().write(text)


def run_quietly(recipe: Recipe, run: RunDir, *, resume: bool = False) -> None:
    train(recipe, run, resume=resume, console=Console(file=io.StringIO(), width=150))


def interrupt_at(step: int, recipe: Recipe, run: RunDir) -> None:
    console = Console(
        file=Watched(f"Step {step}/", lambda: signal.raise_signal(signal.SIGINT)), width=150
    )
    with pytest.raises(KeyboardInterrupt):
        train(recipe, run, resume=False, console=console)


def numbers(run: RunDir) -> list[dict[str, Any]]:
    """Metrics without what a clock or the system's memory measured."""
    return [
        {key: value for key, value in row.items() if key not in {*TIMINGS, "validation_seconds"}}
        for row in run.read_metrics()
    ]


def last_bytes(run: RunDir) -> list[bytes]:
    """The chosen adapter, and the last checkpoint's adapter and optimizer."""
    last = run.checkpoint(LAST_STEP)
    weights = "adapter_model.safetensors"
    return [
        path.read_bytes()
        for path in (run.adapter / weights, last / weights, last / "optimizer.safetensors")
    ]


def test_the_loss_falls_and_the_best_adapter_is_kept(whole: tuple[RunDir, str]) -> None:
    run, _ = whole
    rows = run.read_metrics()
    assert rows[-1]["loss"] < rows[0]["loss"] - LEARNED_NATS
    facts = run.read_run()
    assert rows[-1]["validation_loss"] < facts["base_validation_loss"] - LEARNED_NATS
    assert facts["data"]["train"] == {
        "conversations": 40,
        "supervised_tokens": facts["data"]["train"]["supervised_tokens"],
        "left_out": {"unreadable": 0, "too long": 0, "nothing supervised": 0},
    }
    assert facts["total_steps"] == LAST_STEP
    assert sorted(path.name for path in run.path.iterdir()) == [
        "adapter", "checkpoints", "metrics.jsonl", "plan.json", "recipe.toml", "run.json"
    ]  # fmt: skip


def test_the_log_has_a_row_a_step_with_what_the_run_was_like(whole: tuple[RunDir, str]) -> None:
    rows = whole[0].read_metrics()
    assert [row["step"] for row in rows] == list(range(1, LAST_STEP + 1))
    assert [row["epoch"] for row in rows] == [1] * 5 + [2] * 5 + [3] * 5
    for row in rows:
        assert {"loss", "learning_rate", "grad_norm", "supervised_tokens", *TIMINGS} <= row.keys()
        assert ("validation_loss" in row) == (row["step"] % 5 == 0)
        assert len(row.get("validation_losses", range(10))) == 10
        assert 0 < row["distinct_tokens"] < row["logical_tokens"]
        assert 0 < row["supervised_tokens"] < row["logical_tokens"]
        assert all(row[name] > 0 for name in TIMINGS)
    rates = [row["learning_rate"] for row in rows]
    assert rates[:2] == [1e-2, 2e-2]
    assert sorted(rates[1:], reverse=True) == rates[1:]
    supervised = whole[0].read_run()["data"]["train"]["supervised_tokens"]
    assert sum(row["supervised_tokens"] for row in rows[:5]) == supervised


def test_the_run_says_its_plan_first_and_keeps_what_was_measured_of_it(
    whole: tuple[RunDir, str],
) -> None:
    run, printed = whole
    assert printed.startswith(f"Plan: {LAST_STEP} steps, ")
    plan = read_json(run.plan)
    planned, measured = plan["memory_gib"]["lora"], plan["measured_gib"]
    assert plan["steps_total"] == LAST_STEP
    first_epoch = [row["distinct_tokens"] for row in run.read_metrics() if row["epoch"] == 1]
    assert plan["tokens"]["computed_per_epoch"] == sum(first_epoch)
    assert plan["tokens"]["largest_micro_batch"] == max(first_epoch)
    for term in ("weights", "adapter", "gradients", "optimizer"):
        assert measured[term] == pytest.approx(planned[term], rel=0.05, abs=1e-4), term


def test_after_twenty_steps_the_run_says_how_long_it_will_take(
    recipe: Recipe, tmp_path: Path
) -> None:
    printed = io.StringIO()
    other = changed(recipe, "train", examples_per_step=4, epochs=2, validate_every_steps=10)
    train(other, create_run(tmp_path), resume=False, console=Console(file=printed, width=200))
    (line,) = [line for line in printed.getvalue().splitlines() if line.startswith("After 20 ")]
    assert "0.00 h left (0.00 to 0.00), cost unknown" in line


def test_a_fresh_adapter_that_changes_the_model_is_found_before_the_first_step(
    recipe: Recipe, data: Path
) -> None:
    loaded = load_base(recipe.model)
    attach_lora(loaded.model, recipe.lora)
    renderer = Renderer.from_folder(Path(recipe.model.name))
    examples = read_examples(data / "train.jsonl", renderer, max_sequence_tokens=2048).sequences[:3]
    with adapter_disabled(loaded.model):
        _, losses = held_out_losses(loaded.model, examples, micro_batch_tokens=2048)
    require_untouched_base(loaded.model, examples[0], base_loss=losses[0])
    for layer in lora_layers(loaded.model).values():
        torch.nn.init.normal_(layer.lora_B, std=0.1)
    with pytest.raises(ModelError, match="self-test: a fresh adapter changes the model"):
        require_untouched_base(loaded.model, examples[0], base_loss=losses[0])


def test_held_out_losses_are_those_of_each_example_alone(recipe: Recipe, data: Path) -> None:
    """In their order, though micro-batches take the sequences in another."""
    model = load_base(recipe.model).model
    renderer = Renderer.from_folder(Path(recipe.model.name))
    examples = read_examples(data / "train.jsonl", renderer, max_sequence_tokens=2048).sequences[:6]
    examples = [[*examples[0], *examples[3]], *examples[1:]]
    mean, losses = held_out_losses(model, examples, micro_batch_tokens=700)
    summed = [
        [float(summed_loss(model, build_tree([sequence])).detach()) for sequence in example]
        for example in examples
    ]
    counts = [sum(sequence.supervised_tokens for sequence in example) for example in examples]
    alone = [sum(parts) / count for parts, count in zip(summed, counts, strict=True)]
    assert losses == pytest.approx(alone, rel=1e-4)
    assert mean == pytest.approx(sum(map(sum, summed)) / sum(counts), rel=1e-4)


def test_the_console_prints_the_recipes_line(whole: tuple[RunDir, str]) -> None:
    run, printed = whole
    row = run.read_metrics()[9]
    assert (
        f"Step 10/15: loss={row['loss']:.3f}, learning_rate={row['learning_rate']:.1e}, "
        f"validation_loss={row['validation_loss']:.3f}\n"
    ) in printed


# PEFT 0.21 asks transformers by a name that 5.23 has deprecated.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
def test_peft_and_transformers_open_the_runs_adapter(
    whole: tuple[RunDir, str], tiny_llama_folder: Path, data: Path
) -> None:
    """The validation loss of the log, computed by other people's code from the run's files."""
    import torch.nn.functional as F
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    run, _ = whole
    base = AutoModelForCausalLM.from_pretrained(tiny_llama_folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, run.adapter).eval()
    renderer = Renderer.from_folder(run.adapter)
    held_out = read_examples(data / "validation.jsonl", renderer, max_sequence_tokens=2048)
    summed = 0.0
    for (sequence,) in held_out.sequences:
        ids = torch.from_numpy(sequence.tokens).long()
        chosen = torch.from_numpy(sequence.loss_mask[1:]).bool()
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, :-1]
        summed += float(F.cross_entropy(logits[chosen], ids[1:][chosen], reduction="sum"))
    best = min(row["validation_loss"] for row in run.read_metrics() if "validation_loss" in row)
    assert summed / held_out.supervised_tokens == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("step", [5, 10])
def test_an_interrupted_run_goes_on_to_the_same_numbers_bit_for_bit(
    step: int, whole: tuple[RunDir, str], recipe: Recipe, tmp_path: Path
) -> None:
    run = create_run(tmp_path / "run")
    interrupt_at(step, recipe, run)
    assert run.list_checkpoints()[-1] == (step, run.checkpoint(step)), "Ctrl-C saves"
    assert numbers(run) == numbers(whole[0])[:step]
    run_quietly(recipe, run, resume=True)
    assert numbers(run) == numbers(whole[0])
    assert last_bytes(run) == last_bytes(whole[0])


def test_a_second_ctrl_c_does_not_wait_for_the_step(recipe: Recipe, tmp_path: Path) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    run = create_run(tmp_path / "run")
    console = Console(file=Watched("Step 5/", twice), width=150)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, run, resume=False, console=console)
    assert [step for step, _ in run.list_checkpoints()] == [4]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


DIES_AMID_A_CHECKPOINT = """
import os, signal, sys
from tooltune.cli import main

class Watched:
    syncs_left = None

    def write(self, text):
        if "Step 10/" in text:
            self.syncs_left = 5
        return sys.__stdout__.write(text)

    def flush(self):
        sys.__stdout__.flush()

    def fsync(self, handle):
        if self.syncs_left is not None:
            self.syncs_left -= 1
            if not self.syncs_left:
                os.kill(os.getpid(), signal.SIGKILL)
        sync(handle)

sync, sys.stdout = os.fsync, Watched()
os.fsync = sys.stdout.fsync
main()
"""
"""`tooltune`, killed at the fifth file it makes safe after step 10: the logs of steps 11 and 12,
then files of checkpoint 12."""


def test_a_run_killed_while_it_saves_leaves_a_whole_folder_and_goes_on(
    whole: tuple[RunDir, str], recipe: Recipe, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    (tmp_path / "recipe.toml").write_text(dump_recipe(recipe))
    command = [sys.executable, "-c", DIES_AMID_A_CHECKPOINT]
    command += ["train", "recipe.toml", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(run.checkpoints.glob(".step-000012.*")), "meant to die amid this checkpoint"

    assert [step for step, _ in run.list_checkpoints()] == [4, 8]
    for folder in [*(folder for _, folder in run.list_checkpoints()), run.adapter]:
        assert load_file(folder / "adapter_model.safetensors")
    assert numbers(run) == numbers(whole[0])[:12]

    run_quietly(recipe, run, resume=True)
    assert numbers(run) == numbers(whole[0])
    assert last_bytes(run) == last_bytes(whole[0])


def test_half_a_checkpoint_from_a_crash_is_not_taken_for_one(
    whole: tuple[RunDir, str], recipe: Recipe, tmp_path: Path
) -> None:
    run = RunDir(shutil.copytree(whole[0].path, tmp_path / "run"))
    (run.checkpoints / ".step-000099.x1").mkdir()
    assert [step for step, _ in run.list_checkpoints()] == [12, 15]
    with pytest.raises(ZeroDivisionError), whole_folder(run.checkpoint(16)) as folder:
        (folder / "state.json").write_text(str(1 / 0))
    assert [step for step, _ in run.list_checkpoints()] == [12, 15]
    run_quietly(recipe, run, resume=True)
    assert numbers(run) == numbers(whole[0]), "a finished run resumes to nothing more"


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with whole_folder(tmp_path / "adapter") as folder:
            (folder / text).write_text(text)
    assert [path.name for path in tmp_path.rglob("*")] == ["adapter", "second"]


def test_a_kill_between_moving_the_adapter_aside_and_replacing_it_loses_nothing(
    whole: tuple[RunDir, str], tmp_path: Path
) -> None:
    run = RunDir(shutil.copytree(whole[0].path, tmp_path / "run"))
    before = (run.adapter / "adapter_model.safetensors").read_bytes()
    run.adapter.replace(moved_aside(run.adapter))
    open_run(run.path)
    assert (run.adapter / "adapter_model.safetensors").read_bytes() == before
    assert not moved_aside(run.adapter).exists()


@pytest.mark.parametrize(
    "file", ["adapter_model.safetensors", "optimizer.safetensors", "state.json"]
)
@pytest.mark.parametrize("is_missing", [False, True])
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_offered(
    file: str, is_missing: bool, whole: tuple[RunDir, str], recipe: Recipe, tmp_path: Path
) -> None:
    run = RunDir(shutil.copytree(whole[0].path, tmp_path / "run"))
    newest = run.checkpoint(LAST_STEP)
    damaged = newest / file
    content = damaged.read_bytes()
    damaged.unlink()
    if not is_missing:
        damaged.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError) as caught:
        run_quietly(recipe, run, resume=True)
    assert str(caught.value).startswith(f"{newest}: damaged checkpoint (")
    assert str(caught.value).endswith("Delete the folder and step-000012 is taken with --resume.")
    shutil.rmtree(newest)
    run_quietly(recipe, run, resume=True)
    assert last_bytes(run) == last_bytes(whole[0])


def test_nothing_to_resume_is_said(recipe: Recipe, tmp_path: Path) -> None:
    run = create_run(tmp_path)
    with pytest.raises(ModelError) as caught:
        run_quietly(recipe, run, resume=True)
    assert str(caught.value) == (
        f"{tmp_path}/checkpoints: no checkpoint to resume. Train without --resume."
    )


def test_a_loss_that_is_not_finite_stops_before_the_update(recipe: Recipe, tmp_path: Path) -> None:
    """A rate of 1e30 ruins the adapter in step 1; step 2 must not touch it again."""
    run = create_run(tmp_path)
    wild = changed(recipe, "train", learning_rate=1e30, checkpoint_every_steps=1)
    with pytest.raises(ModelError) as caught:
        run_quietly(wild, run)
    assert str(caught.value).startswith("step 2: loss ")
    assert "the adapter was not updated" in str(caught.value)
    assert len(run.read_metrics()) == 1
    (step, folder), *others = run.list_checkpoints()
    assert (step, others) == (1, [])
    tensors = load_file(folder / "adapter_model.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_weights_that_are_not_finite_change_nothing(recipe: Recipe, data: Path) -> None:
    model = load_base(recipe.model).model
    attach_lora(model, recipe.lora)
    model.model.norm.weight.data[3] = math.nan
    parameters = trainable_parameters(model)
    before = [parameter.detach().clone() for parameter in parameters]
    renderer = Renderer.from_folder(Path(recipe.model.name))
    examples = read_examples(data / "train.jsonl", renderer, max_sequence_tokens=2048)
    optimizer = torch.optim.AdamW(parameters)
    with pytest.raises(ModelError, match="step 7: loss nan with gradient norm nan"):
        train_step(model, optimizer, examples.sequences[0], train=TrainSection(), step=7, epoch=1)
    torch.testing.assert_close([*parameters], before, rtol=0, atol=0)
    assert not optimizer.state


def test_recomputing_activations_and_validating_calls_change_no_number(
    whole: tuple[RunDir, str], recipe: Recipe, tmp_path: Path
) -> None:
    """Dropout draws the same: neither the second forward pass nor decoding disturbs it."""
    run = create_run(tmp_path)
    other = changed(recipe, "train", activation_checkpointing=False, validation_calls=3)
    run_quietly(other, run)
    rows, expected = numbers(run), numbers(whole[0])
    decoded = [skills for row in rows if (skills := pop_skills(row))]
    assert [
        skills["validation_calls"] + skills["validation_abstentions"] for skills in decoded
    ] == [3] * 3
    assert all(0 <= skills["validation_accuracy"] <= 1 for skills in decoded)
    none = [skills for row in expected if (skills := pop_skills(row))]
    assert [skills["validation_accuracy"] for skills in none] == [None] * 3
    assert rows == expected


def test_a_float16_run_is_resumed_with_its_loss_scale(recipe: Recipe, tmp_path: Path) -> None:
    half = changed(changed(recipe, "model", dtype="float16"), "train", epochs=2)
    undisturbed, run = create_run(tmp_path / "whole"), create_run(tmp_path / "run")
    run_quietly(half, undisturbed)
    interrupt_at(5, half, run)
    run_quietly(half, run, resume=True)
    assert numbers(run) == numbers(undisturbed)
    rows = run.read_metrics()
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert {row["loss_scale"] for row in rows} == {2.0**16}
    state = read_json(run.list_checkpoints()[-1][1] / "state.json")
    assert (state["loss_scale"]["scale"], state["loss_scale"]["_growth_tracker"]) == (2.0**16, 10)


def test_recomputation_chosen_by_the_plan_is_recorded_with_its_reason(
    recipe: Recipe, tmp_path: Path
) -> None:
    run = create_run(tmp_path)
    one_step = changed(recipe, "train", activation_checkpointing="auto", examples_per_step=40)
    run_quietly(changed(one_step, "train", epochs=1), run)
    facts = run.read_run()
    assert facts["activation_checkpointing"] is False, "a tiny model fits any machine"
    assert re.fullmatch(
        r"planned peak without it \d+\.\d\d GiB, \d+\.\d\d GiB free",
        facts["activation_checkpointing_reason"],
    )
    assert (facts["prefix_sharing"], facts["prefix_sharing_reason"]) == (True, "")


def test_a_run_without_a_compiler_says_that_it_is_slower(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path))
    for module in ("compiled", "load"):  # whatever this processor is
        monkeypatch.setattr(f"tooltune.model.{module}.suits_processor", lambda _: True)
    compiled._compiled.cache_clear()
    run, printed = create_run(tmp_path / "run"), io.StringIO()
    one_step = changed(recipe, "train", examples_per_step=40, epochs=1)
    half = changed(one_step, "model", dtype="bfloat16")
    try:
        train(half, run, resume=False, console=Console(file=printed, width=200))
    finally:
        compiled._compiled.cache_clear()
    reason = "no C++ compiler was found (no-such-compiler); install it, or name one in CXX"
    assert f"Slower than it could be: {reason}." in printed.getvalue()
    assert run.read_run()["slower_reason"] == reason


def pop_skills(row: dict[str, Any]) -> dict[str, Any]:
    """What decoding validation conversations adds to a row."""
    names = [name for name in row if name.endswith(("accuracy", "calls", "abstentions"))]
    return {name: row.pop(name) for name in names}


def test_b_learns_faster_by_its_ratio(recipe: Recipe, tmp_path: Path) -> None:
    """After one step of AdamW from B = 0, B is the rate itself in size."""
    largest = []
    for ratio in (1.0, 4.0):
        run = create_run(tmp_path / f"ratio-{ratio}")
        one_step = changed(recipe, "train", examples_per_step=40, epochs=1)
        run_quietly(changed(one_step, "lora", b_learning_rate_ratio=ratio), run)
        tensors = load_file(run.adapter / "adapter_model.safetensors")
        largest.append(
            max(float(tensor.abs().max()) for name, tensor in tensors.items() if "lora_B" in name)
        )
    assert largest == pytest.approx([2e-2, 8e-2], rel=1e-3)


def test_without_closing_answers_a_conversation_ends_with_its_last_call(
    data: Path, tiny_llama_folder: Path
) -> None:
    renderer = Renderer.from_folder(tiny_llama_folder)

    def read(fraction: float) -> list[tuple[str, str]]:
        examples = read_examples(
            data / "train.jsonl",
            renderer,
            max_sequence_tokens=2048,
            closing_answers_fraction=fraction,
        )
        return [
            (conversation.id, renderer.decode(sequence.tokens.tolist()))
            for conversation, (sequence,) in zip(
                examples.conversations, examples.sequences, strict=True
            )
        ]

    without, some, full = read(0.0), read(0.5), read(1.0)
    for (row, cut), (_, uncut) in zip(without, full, strict=True):
        assert uncut.startswith(cut.rstrip("\n"))
        if row.startswith("time"):
            last_turn = cut.rpartition("<|im_start|>assistant\n")[2].rstrip()
            assert last_turn.startswith("<tool_call>")
            assert last_turn.endswith("}<|im_end|>")
        else:
            assert cut == uncut, "nothing is called, so nothing is cut"
    shortened = sum(text != uncut for (_, text), (_, uncut) in zip(some, full, strict=True))
    assert 0 < shortened < 20
    assert some == read(0.5), "the same conversations on every run"


def test_rows_that_begin_longer_chains_keep_their_closing_answers(
    data: Path, tiny_llama_folder: Path, tmp_path: Path
) -> None:
    conversation = next(
        one
        for one in read_conversations(data / "train.jsonl").conversations
        if sum(len(message.tool_calls) for message in one.messages) == 1
    )
    at = next(index for index, one in enumerate(conversation.messages) if one.tool_calls)
    call, result = conversation.messages[at : at + 2]
    longer = (*conversation.messages[: at + 2], call, result, conversation.messages[-1])
    rows = [conversation, conversation.model_copy(update={"id": "longer", "messages": longer})]

    def turns_trained(*rows: Conversation) -> list[int]:
        examples = read_examples(
            write_rows(tmp_path / "rows.jsonl", *rows),
            Renderer.from_folder(tiny_llama_folder),
            max_sequence_tokens=4096,
            closing_answers_fraction=0.0,
        )
        return [len(one.messages) for one in examples.conversations]

    assert turns_trained(rows[0]) == [at + 1], "alone, it ends with its call"
    assert turns_trained(*rows) == [len(conversation.messages), len(longer) - 2]


def write_rows(path: Path, *conversations: Conversation) -> Path:
    write_jsonl(path, [conversation.to_dict() for conversation in conversations])
    return path


def test_a_dataset_with_nothing_supervised_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    silent = Conversation(id="a", messages=(Message(role="user", content="Anyone here?"),))
    path = write_rows(tmp_path / "silent.jsonl", silent, silent)
    with pytest.raises(DataError) as caught:
        run_quietly(changed(recipe, "data", train=path), create_run(tmp_path / "run"))
    assert str(caught.value) == (
        f"{path}: nothing to train on (got 2 rows: 2 nothing supervised; expected conversations "
        "with an assistant turn, within 2048 tokens). Run `tooltune validate` on the file."
    )
    assert list((tmp_path / "run").iterdir()) == []


def test_an_empty_dataset_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match=r"nothing to train on \(got 0 rows: the file is empty"):
        run_quietly(changed(recipe, "data", validation=path), create_run(tmp_path / "run"))


def test_too_long_conversations_are_counted_and_left_out_whole(
    tiny_llama_folder: Path, tmp_path: Path
) -> None:
    renderer = Renderer.from_folder(tiny_llama_folder)
    rows = [time_asked(1), greeted(1), time_asked(2)]
    path = write_rows(tmp_path / "rows.jsonl", *rows)
    lengths = [len(renderer.sequences(row)[0].tokens) for row in rows]
    kept = read_examples(path, renderer, max_sequence_tokens=lengths[1])
    assert [conversation.id for conversation in kept.conversations] == ["talk-1"]
    assert kept.left_out["too long"] == 2
    assert len(kept.sequences[0][0].tokens) == lengths[1]
    with pytest.raises(DataError, match=f"3 too long; .* within {lengths[1] - 1} tokens"):
        read_examples(path, renderer, max_sequence_tokens=lengths[1] - 1)


def test_examples_of_one_catalog_and_system_text_form_a_group(
    tiny_llama_folder: Path, tmp_path: Path
) -> None:
    other = time_asked(3).model_copy(update={"tools": (GET_TIME, GET_TIME)})
    path = write_rows(tmp_path / "rows.jsonl", time_asked(1), other, greeted(1), time_asked(2))
    examples = read_examples(
        path, Renderer.from_folder(tiny_llama_folder), max_sequence_tokens=2048
    )
    assert examples.groups == [0, 1, 0, 0]


def test_a_recipe_without_data_says_what_to_name(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"recipe: data.train is missing. Name the file"):
        run_quietly(changed(recipe, "data", train=None), create_run(tmp_path))
