"""What `synth` works from: the user's servers, any servers' schemas, or the recipe's own worlds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tooltune.errors import ConfigError
from tooltune.servers.install import say
from tooltune.synth.generate import Report, synthesise
from tooltune.synth.programs import CORE, PROGRAMS
from tooltune.synth.recipe import make_recipe
from tooltune.synth.schemas import SchemaReport, from_schemas
from tooltune.synth.summary import RecipeReport
from tooltune.synth.teacher import Teacher


@dataclass(frozen=True, slots=True)
class Source:
    """The choices of the command line."""

    config: Path | None
    recipe: str | None = None
    scale: float = 1.0
    from_schemas: bool = False
    writes_in: Path | None = None
    programs: str = "core"
    """`core`, `all`, or names with commas between them."""
    teacher_url: str | None = None
    teacher_model: str | None = None


def make(
    source: Source, out: Path, *, seed: int, progress: Callable[[int, int], None]
) -> Report | RecipeReport | SchemaReport:
    """Write the three splits into `out`. Raises ConfigError, ServerError."""
    if source.teacher_model and not source.teacher_url:
        raise ConfigError("--teacher-model: no endpoint to ask. Add --teacher-url.")
    if source.teacher_url and source.recipe is None:
        raise ConfigError("--teacher-url: rewords requests of --recipe only. Add it.")
    if source.recipe is not None:
        if source.config is not None or source.from_schemas:
            raise ConfigError(
                "--recipe: brings its own servers (got --config or --from-schemas beside it). "
                "Leave them away."
            )
        url, model = source.teacher_url, source.teacher_model or "default"
        teacher = Teacher(url, model) if url else None
        return make_recipe(
            out, seed=seed, scale=source.scale, tell=say, progress=progress, teacher=teacher
        )
    if source.config is None:
        raise ConfigError(
            "synth: nothing to work from (got neither --config nor --recipe). "
            "Name your mcp.json, or write --recipe mcp-agent."
        )
    if source.from_schemas:
        writes_in = source.writes_in
        return from_schemas(source.config, out, seed=seed, writes_in=writes_in, progress=progress)
    programs = {"core": CORE, "all": PROGRAMS}.get(source.programs) or source.programs.split(",")
    made = synthesise(source.config, out, seed=seed, programs=programs, progress=progress)
    made.left_out = [f"program {one}, whose tools these servers do not offer"
                     for one in made.left_out]  # fmt: skip
    return made
