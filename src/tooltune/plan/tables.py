"""Dated tables of model shapes, devices and prices: shipped as TOML, replaceable by the user's own.

The file that $TOOLTUNE_TABLES names holds any of [[model]], [[device]], [[price]]; its rows replace
shipped rows of the same name (prices: of the same device and provider), or are added.
"""

import datetime
import os
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tooltune.config import nearest
from tooltune.errors import ConfigError
from tooltune.jsonl import read_json
from tooltune.plan.shape import ModelShape, read_shape

THIS = "this"
"""Name of the machine at hand, which is measured instead of looked up."""

STALE_DAYS = 60
"""A price older than this is reported as stale."""

Basis = Literal["measured", "derived"]
Row = TypeVar("Row", bound=BaseModel)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Device(_Row):
    """One accelerator. Sources and the meaning of each figure: devices.toml."""

    name: str
    title: str
    is_processor: bool = False
    memory_mib: float
    memory_basis: Basis
    memory_source: str
    context_mib: float
    context_basis: Basis
    bandwidth_gb_per_second: float | None = None
    peak_tflops: float | None = None
    achieved_tflops: tuple[float, float, float] | None = None
    """None: nobody measured it, so time and cost stay unknown."""
    launch_seconds_per_layer: float = 0.005
    """Least time of a micro-batch: 125 ms for 24 layers and 150 ms for 32 were seen with
    checkpointed LoRA on an A100 (QwenLM/Qwen README)."""
    fragmentation: float = 0.10
    """Reserved over allocated memory: 5 to 13 % in published T4 runs."""
    rate_basis: Basis
    rate_source: str
    dtype: Literal["float32", "bfloat16", "float16"]
    as_of: datetime.date


class Price(_Row):
    """Dollars an hour for one device at one provider; `as_of` None: the page carries no date."""

    device: str
    provider: str
    offer: str
    usd_per_hour: float
    as_of: datetime.date | None = None
    source: str

    def age_note(self, today: datetime.date) -> str | None:
        """Why this price may be wrong by now; None while it is fresh."""
        if self.as_of is None:
            return "price page undated"
        days = (today - self.as_of).days
        return f"price {days} days old" if days > STALE_DAYS else None


class _ModelRow(_Row):
    name: str
    aliases: tuple[str, ...] = ()
    parameters: int | None = None
    as_of: datetime.date
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tables:
    models: tuple[_ModelRow, ...]
    devices: tuple[Device, ...]
    prices: tuple[Price, ...]

    def device(self, name: str) -> Device:
        """Raises ConfigError with the nearest name."""
        wanted = name.lower().replace("_", "-").replace(" ", "-")
        for device in self.devices:
            if wanted in (device.name, device.name.replace("-", "")):
                return device
        known = [device.name for device in self.devices]
        known = [other for other in known if other.startswith(wanted)] or known
        raise ConfigError(
            f"--device: unknown device (got {name!r}). {nearest(wanted, known, at_most=3)} "
            "Own devices go into the file that TOOLTUNE_TABLES names."
        )

    def offers(self, device: str) -> list[Price]:
        """Cheapest first; empty where no price is known."""
        rows = [price for price in self.prices if price.device == device]
        return sorted(rows, key=lambda price: price.usd_per_hour)

    def shape(self, model: str) -> ModelShape:
        """Of a hub id of the table, a folder with config.json, or a config.json itself."""
        for row in self.models:
            if model.lower() in (name.lower() for name in (row.name, *row.aliases)):
                return read_shape(row.config, where=row.name)
        path = Path(model).expanduser()
        path = path / "config.json" if path.is_dir() else path
        if path.is_file():
            config = read_json(path)
            if not isinstance(config, dict):
                kind = type(config).__name__
                raise ConfigError(
                    f"{path}: not a model's config (got {kind}, expected an object). "
                    "Name the config.json of the model's folder."
                )
            return read_shape(config, where=str(path))
        known = [name for row in self.models for name in (row.name, *row.aliases)]
        raise ConfigError(
            f"--model: unknown model (got {model!r}, expected a name of the shipped table or a "
            f"path to config.json). {nearest(model, known, at_most=3)}"
        )


def load_tables(own: Path | None = None) -> Tables:
    """The shipped tables with the user's rows over them; `own` defaults to $TOOLTUNE_TABLES.

    Raises ConfigError naming file and row.
    """
    shipped = _shipped()
    if own is None:
        named_by_user = os.environ.get("TOOLTUNE_TABLES")
        if not named_by_user:
            return shipped
        own = Path(named_by_user)
    values = _read_toml(own)
    known = ["model", "device", "price"]
    if unknown := [key for key in values if key not in known]:
        raise ConfigError(f"{own}: unknown table {unknown[0]}. {nearest(unknown[0], known)}")
    models = _rows(_ModelRow, values.get("model", []), own)
    devices = _rows(Device, values.get("device", []), own)
    prices = _rows(Price, values.get("price", []), own)
    named = {row.name for row in models}
    carded = {row.name for row in devices}
    priced = {(row.device, row.provider) for row in prices}
    return Tables(
        models=(*models, *(row for row in shipped.models if row.name not in named)),
        devices=(*devices, *(row for row in shipped.devices if row.name not in carded)),
        prices=(
            *prices,
            *(row for row in shipped.prices if (row.device, row.provider) not in priced),
        ),
    )


@lru_cache(maxsize=1)
def _shipped() -> Tables:
    folder = Path(__file__).parent
    read = {name: folder / f"{name}s.toml" for name in ("model", "device", "price")}
    return Tables(
        models=_rows(_ModelRow, _read_toml(read["model"])["model"], read["model"]),
        devices=_rows(Device, _read_toml(read["device"])["device"], read["device"]),
        prices=_rows(Price, _read_toml(read["price"])["price"], read["price"]),
    )


def _rows(kind: type[Row], values: list[Any], where: Path) -> tuple[Row, ...]:
    rows = []
    for number, value in enumerate(values, start=1):
        try:
            rows.append(kind.model_validate(value))
        except ValidationError as error:
            issue = error.errors()[0]
            field = ".".join(str(part) for part in issue["loc"])
            raise ConfigError(
                f"{where}: row {number}: {field}: {issue['msg']} (got {issue['input']!r}). "
                "Compare with the shipped table."
            ) from None
    return tuple(rows)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML ({error}). Check the file.") from None
