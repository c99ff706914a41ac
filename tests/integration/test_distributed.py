"""Two processes make the run of one, whole or sharded; one that fails ends all, with one message.

Processes are forked from a server that has torch imported, so that each costs little; the last
test starts them by torchrun. How an update is divided: property/test_packing.py.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed import TCPStore
from torch.optim.optimizer import register_optimizer_step_post_hook

from tooltune.cli import main
from tooltune.config import LoraSection, ModelSection, TrainSection
from tooltune.jsonl import read_jsonl, write_jsonl
from tooltune.messages import Conversation, Message
from tooltune.model.layers import recompute_activations
from tooltune.model.load import load_base
from tooltune.model.lora import attach_lora, lora_layers, trainable_parameters
from tooltune.packing.tree import TokenSequence
from tooltune.rundir import RunDir
from tooltune.train.distributed import joined_processes, seed_step, shard_base
from tooltune.train.step import held_out_losses, train_step

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tooltune.train.loop", "torch.distributed.fsdp"])
LONGEST_SECONDS = 120
"""Of a process that does not hang, on a machine that has much else to do."""
STEPS = 8
EXACT = 1e-9
IN_FLOAT32 = 1e-4


def exit_codes_of_two(target: Callable[..., None], *arguments: object) -> list[int | None]:
    """`target(*arguments)` in two processes that see the environment torchrun makes.

    As torchrun does, this process holds the store they meet at. One that hangs is killed and fails
    the test.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    processes: list[BaseProcess] = [
        CONTEXT.Process(target=as_process, args=(rank, store.port, target, *arguments), daemon=True)
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST_SECONDS)
    hanging = [process for process in processes if process.exitcode is None]
    for process in hanging:
        process.kill()
    assert hanging == []
    return [process.exitcode for process in processes]


def as_process(rank: int, port: int, target: Callable[..., None], *arguments: object) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    target(*arguments)


def run_tooltune(
    folder: Path, arguments: list[str], interrupted_at: int | None, by: signal.Signals
) -> None:
    """The command line, its output in `folder`. The signal reaches the second process alone."""
    rank = os.environ["RANK"]
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{name}-{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    steps_left = [interrupted_at or 0]

    def count(*_: object) -> None:
        steps_left[0] -= 1
        if steps_left[0] == 0:
            signal.raise_signal(by)

    if rank == "1":
        register_optimizer_step_post_hook(count)
    sys.argv = ["tooltune", *arguments]
    main()


def in_two(
    folder: Path,
    *arguments: str,
    interrupted_at: int | None = None,
    by: signal.Signals = signal.SIGINT,
) -> list[int | None]:
    return exit_codes_of_two(run_tooltune, folder, list(arguments), interrupted_at, by)


def printed(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in ("out-0", "out-1", "err-0", "err-1")}


RECIPE = """
[model]
name = "{model}"
dtype = "float32"
device = "cpu"
[data]
train = "train.jsonl"
validation = "validation.jsonl"
[lora]
rank = 4
dropout = 0
[train]
learning_rate = 5e-3
examples_per_step = 5
micro_batch_tokens = 180
epochs = 2
validate_every_steps = 2
validation_calls = {calls}
checkpoint_every_steps = 100
"""


@pytest.fixture(scope="module")
def folder(tiny_llama_in_16_bits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 conversations of one system text, 6 to validate, a recipe whose base is stored in fewer
    bits than it computes in, and the run of one process."""
    folder = tmp_path_factory.mktemp("two")
    rows = [greeted(number).to_dict() for number in range(24)]
    write_jsonl(folder / "train.jsonl", rows[:18])
    write_jsonl(folder / "validation.jsonl", rows[18:])
    (folder / "recipe.toml").write_text(RECIPE.format(model=tiny_llama_in_16_bits, calls=0))
    (folder / "decoding.toml").write_text(RECIPE.format(model=tiny_llama_in_16_bits, calls=2))
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path) -> RunDir:
    """The run of one process."""
    run_here(folder, "--out", "alone")
    return RunDir(folder / "alone")


def run_here(folder: Path, *arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["tooltune", "train", "recipe.toml", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code


def greeted(number: int) -> Conversation:
    messages = (
        Message(role="system", content="Answer every guest of the house in one sentence."),
        Message(role="user", content=f"I am guest {number}." + " May I come in?" * (number % 3)),
        Message(role="assistant", content=f"Welcome, guest {number}!"),
    )
    return Conversation(id=f"row-{number}", messages=messages)


def same_run(got: RunDir, truth: RunDir) -> None:
    """Step by step and at the end, up to the order of float32 sums."""
    rows, expected = got.read_metrics(), truth.read_metrics()
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for row, want in zip(rows, expected, strict=True):
        for name in ("epoch", "learning_rate", "supervised_tokens", "logical_tokens"):
            assert row[name] == want[name]
        for name in ("loss", "grad_norm", "validation_loss"):
            if want.get(name) is None:
                assert row.get(name) is None
            else:
                assert row[name] == pytest.approx(want[name], rel=IN_FLOAT32)
    same_tensors(last_adapter(got), last_adapter(truth), 20 * IN_FLOAT32)


def last_adapter(run: RunDir) -> dict[str, Tensor]:
    return load_file(run.list_checkpoints()[-1][1] / "adapter_model.safetensors")


def same_tensors(got: dict[str, Tensor], truth: dict[str, Tensor], rtol: float) -> None:
    """Each tensor's difference is at most rtol of its length."""
    assert got.keys() == truth.keys()
    for name, tensor in truth.items():
        assert float((got[name] - tensor).norm()) <= rtol * float(tensor.norm()), name


def test_two_processes_make_the_run_of_one_also_interrupted_sharded_and_continued_by_one(
    folder: Path, alone: RunDir
) -> None:
    train = ("train", "recipe.toml", "--out", "both")
    both, by_one = RunDir(folder / "both"), RunDir(folder / "by-one")

    assert in_two(folder, *train, interrupted_at=3) == [130, 130]
    assert [step for step, _ in both.list_checkpoints()] == [3], "Ctrl-C saves"
    assert both.read_run()["processes"] == 2
    assert len(both.read_metrics()) == 3
    said = printed(folder)
    assert said["err-0"] == "Interrupted. Continue with --resume --out both\n"
    assert "Step 2/8: loss=" in said["out-0"]
    assert said["out-1"] == said["err-1"] == ""

    shutil.copytree(both.path, by_one.path)
    assert in_two(folder, *train, "--resume", "--set", "train.shard_base=true") == [0, 0]
    same_run(both, alone)
    run_here(folder, "--out", "by-one", "--resume")
    same_run(by_one, alone)
    assert len(alone.read_metrics()) == STEPS


def float64_steps(model_folder: Path, is_sharded: bool) -> dict[str, Tensor]:
    """Losses and the adapter after updates of 5, 1 and 4 sequences, in micro-batches."""
    section = ModelSection(name=str(model_folder), dtype="float32", device="cpu")
    model = load_base(section).model.double()
    torch.manual_seed(3)
    attach_lora(model, LoraSection(rank=3, alpha=6, dropout=0))
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_B, 0.0, 0.1)
    model.double()
    # Recomputation asks for a layer's weights in the middle of the backward pass.
    recompute_activations(model)
    numel = frozen_elements(model)
    if is_sharded:
        shard_base(model, torch.device("cpu"))
        assert frozen_elements(model) < 0.75 * numel, "embedding and head stay whole"
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-2, weight_decay=0.01)
    train = TrainSection(micro_batch_tokens=60, shard_base=is_sharded)
    random = np.random.default_rng(5)
    losses = []
    for step, count in enumerate((5, 1, 4), start=1):
        batch = [sequence_of(random) for _ in range(count)]
        record = train_step(model, optimizer, batch, train=train, step=step, epoch=1)
        losses += [record.loss, record.grad_norm]
        mean, of_each = held_out_losses(model, [[one] for one in batch], micro_batch_tokens=60)
        losses += [mean, *of_each]
    tensors = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    return {"losses": torch.tensor(losses, dtype=torch.float64), **tensors}


def sequence_of(random: np.random.Generator) -> TokenSequence:
    """20 tokens that all share, then up to 30 of its own."""
    own = random.integers(1, 500, random.integers(1, 30))
    tokens = np.concatenate([np.arange(1, 21), own]).astype(np.int32)
    return TokenSequence(tokens, (np.arange(len(tokens)) > 15).astype(np.uint8))


def frozen_elements(model: nn.Module) -> int:
    """Of frozen weights, those this process holds."""
    local: Any = [getattr(p, "_local_tensor", p) for p in model.parameters() if not p.requires_grad]
    return sum(tensor.numel() for tensor in local)


def save_float64_steps(model_folder: Path, out: Path) -> None:
    with joined_processes(torch.device("cpu")):
        for is_sharded in (False, True):
            tensors = float64_steps(model_folder, is_sharded)
            save_file(tensors, out / f"{is_sharded}-{os.environ['RANK']}")


def test_in_float64_two_processes_equal_one_and_each_other_bit_for_bit(
    tiny_llama_folder: Path, tmp_path: Path
) -> None:
    assert exit_codes_of_two(save_float64_steps, tiny_llama_folder, tmp_path) == [0, 0]
    truth = float64_steps(tiny_llama_folder, is_sharded=False)
    for is_sharded in (False, True):
        first, second = (load_file(tmp_path / f"{is_sharded}-{rank}") for rank in range(2))
        same_tensors(first, truth, EXACT)
        same_tensors(first, second, 0.0)


def overflow_in_the_second(model_folder: Path, out: Path) -> None:
    with joined_processes(torch.device("cpu")):
        section = ModelSection(name=str(model_folder), dtype="float32", device="cpu")
        model = load_base(section).model
        torch.manual_seed(3)
        attach_lora(model, LoraSection(rank=3, alpha=6, dropout=0))
        parameters = trainable_parameters(model)
        if os.environ["RANK"] == "1":
            hook = parameters[-1].register_hook(lambda grad: torch.full_like(grad, torch.inf))
        optimizer = torch.optim.AdamW(parameters, lr=1e-2)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        batch = [sequence_of(np.random.default_rng(number)) for number in range(4)]
        rows = []
        for step in (1, 2):
            record = train_step(
                model, optimizer, batch, train=TrainSection(), step=step, epoch=1, scaler=scaler
            )
            rows.append({"is_skipped": record.is_skipped, "loss_scale": record.loss_scale})
            if os.environ["RANK"] == "1" and step == 1:
                hook.remove()
        write_jsonl(out / os.environ["RANK"], rows)


def test_an_overflow_in_one_process_skips_the_update_in_all(
    tiny_llama_folder: Path, tmp_path: Path
) -> None:
    assert exit_codes_of_two(overflow_in_the_second, tiny_llama_folder, tmp_path) == [0, 0]
    for rank in ("0", "1"):
        assert [row for _, row in read_jsonl(tmp_path / rank)] == [
            {"is_skipped": True, "loss_scale": 8.0},
            {"is_skipped": False, "loss_scale": 4.0},
        ]


def test_a_finding_of_the_first_process_ends_all(folder: Path) -> None:
    arguments = ("train", "recipe.toml", "--out", "stopped", "--stop-on", "no-warmup")
    settings = ("--set", "train.warmup_fraction=0", "--set", "train.epochs=6")
    assert in_two(folder, *arguments, *settings) == [1, 1]
    said = printed(folder)
    assert said["err-0"].startswith("Stopped by --stop-on no-warmup (steps 1 to 1): ")
    assert said["out-1"] == said["err-1"] == ""
    assert [step for step, _ in RunDir(folder / "stopped").list_checkpoints()] == [20]


def test_a_mistake_of_one_process_ends_all_with_its_message_and_code(folder: Path) -> None:
    """Each cuts its own part of the sequences, and finds one longer than the budget."""
    arguments = ("train", "recipe.toml", "--out", "narrow", "--set", "train.micro_batch_tokens=80")
    assert in_two(folder, *arguments) == [2, 2]
    said = printed(folder)
    both = said["err-0"] + said["err-1"]
    assert both.count("error: ") == 1
    assert "error: a sequence of " in both


@pytest.mark.parametrize(
    ("recipe", "setting", "message"),
    [
        ("missing.toml", "train.epochs=1", "error: missing.toml: cannot be read"),
        ("recipe.toml", "data.train=none.jsonl", "none.jsonl: no such file"),
        ("decoding.toml", "train.shard_base=true", "error: train.validation_calls: decoding needs"),
    ],
)
def test_a_mistake_of_all_is_said_once(
    folder: Path, recipe: str, setting: str, message: str
) -> None:
    assert in_two(folder, "train", recipe, "--out", "none", "--set", setting) == [2, 2]
    said = printed(folder)
    assert message in said["err-0"] + said["err-1"]
    assert (said["err-0"] + said["err-1"]).count("error: ") == 1


def test_one_process_has_nothing_to_spread_a_base_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    argv = ["tooltune", "train", "recipe.toml", "--out", "none", "--set", "train.shard_base=true"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "train.shard_base: nothing to spread the base over" in capsys.readouterr().err


def test_dropout_is_a_function_of_seed_and_step() -> None:
    draws = []
    for seed, step in ((7, 1), (7, 2), (8, 1), (7, 1)):
        seed_step(seed, step)
        draws.append(torch.rand(4).tolist())
    assert draws[0] == draws[3]
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_a_process_that_is_killed_is_told_of_by_the_other(folder: Path) -> None:
    command = ["train", "recipe.toml", "--out", "lost"]
    assert in_two(folder, *command, interrupted_at=1, by=signal.SIGKILL) == [2, -signal.SIGKILL]
    told = printed(folder)["err-0"]
    assert told.count("error: process 0 of 2: another process ended without a word") == 1
    assert "Traceback" not in told
    assert RunDir(folder / "lost").read_run()["processes"] == 2


DIES = """
import os, signal
from torch.optim.optimizer import register_optimizer_step_post_hook
from tooltune.cli import main

def die(*_):
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)

register_optimizer_step_post_hook(die)
main()
"""


def test_torchrun_ends_a_run_whose_process_was_killed(folder: Path) -> None:
    (folder / "dies.py").write_text(DIES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--shutdown-timeout", str(LONGEST_SECONDS), "--nproc-per-node", "2"]
    command += ["dies.py", "train", "recipe.toml", "--out", "killed"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
    )
    assert done.returncode == 1, done.stderr
    # Torchrun ends the other as soon as it looks, perhaps before that one has told of it.
    assert done.stderr.count("another process ended without a word") <= 1
    assert "Signal 9 (SIGKILL) received" in done.stderr
    assert RunDir(folder / "killed").read_run()["processes"] == 2
