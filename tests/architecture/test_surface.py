"""The surface grows by decision: every knob of a recipe and every flag of a command stands here."""

from typer.main import get_command

from tooltune.cli import app
from tooltune.config import Recipe

MOST_KNOBS = 60
MOST_FLAGS = 12

KNOBS = {
    "model": {"name", "revision", "dtype", "device", "quantization"},
    "data": {"train", "validation", "max_sequence_tokens", "closing_answers_fraction"},
    "lora": {"rank", "alpha", "dropout", "target_modules", "first_layer", "b_learning_rate_ratio"},
    "train": {
        "learning_rate",
        "examples_per_step",
        "micro_batch_tokens",
        "epochs",
        "warmup_fraction",
        "decay",
        "weight_decay",
        "max_grad_norm",
        "activation_checkpointing",
        "shard_base",
        "validate_every_steps",
        "validation_calls",
        "checkpoint_every_steps",
        "seed",
    },
}

FLAGS = {
    "synth": {
        "--config",
        "--out",
        "--recipe",
        "--scale",
        "--from-schemas",
        "--allow-writes",
        "--seed",
        "--programs",
        "--teacher-url",
        "--teacher-model",
        "--json",
    },
    "validate": {
        "FILE",
        "--preflight",
        "--html",
        "--against",
        "--model",
        "--max-sequence-tokens",
        "--format",
        "--json",
    },
    "convert": {"FILE", "--to", "--out", "--format", "--json"},
    "mix": {"FILE[=WEIGHT]", "--out", "--rows", "--seed", "--json"},
    "dedupe": {"FILE", "--out", "--against", "--similarity", "--format", "--json"},
    "verify": {"FILE", "--config", "--sample", "--seed", "--json"},
    "card": {"DIR"},
    "plan": {
        "[RECIPE.TOML]",
        "--model",
        "--examples",
        "--mean-tokens",
        "--prefix-tokens",
        "--device",
        "--trainer",
        "--budget-usd",
        "--deadline-hours",
        "--dry-run",
        "--explain",
        "--json",
    },
    "train": {"RECIPE.TOML", "--out", "--resume", "--set", "--model", "--stop-on"},
    "diagnose": {"LOG", "--follow", "--json"},
    "evaluate": {"RUN", "--config", "--cases", "--again", "--json"},
    "report": {"RUN"},
    "agent": {"RUN", "--config"},
}


def recipe_knobs() -> dict[str, set[str]]:
    return {
        section: set(field.annotation.model_fields)
        for section, field in Recipe.model_fields.items()
    }


def test_the_knobs_of_a_recipe_are_these() -> None:
    assert recipe_knobs() == KNOBS


def test_there_are_at_most_sixty_knobs() -> None:
    assert sum(map(len, KNOBS.values())) <= MOST_KNOBS


def test_every_knob_has_a_sentence() -> None:
    for field in Recipe.model_fields.values():
        for name, knob in field.annotation.model_fields.items():
            assert knob.description, name
            assert knob.description.strip().endswith("."), name


def test_the_commands_and_their_flags_are_these() -> None:
    commands = get_command(app).commands
    found = {
        name: {
            parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0]
            for parameter in command.params
            if parameter.name != "help"
        }
        for name, command in commands.items()
    }
    assert found == FLAGS


def test_a_command_has_at_most_twelve_flags() -> None:
    assert {name: flags for name, flags in FLAGS.items() if len(flags) > MOST_FLAGS} == {}
