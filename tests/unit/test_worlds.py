"""Seeded desks: the same world is the same everywhere, and splits share no value."""

import itertools
from pathlib import Path

import pytest

from tooltune.worlds import pools
from tooltune.worlds.content import ProjectPlan
from tooltune.worlds.desk import Desk, World, build_desk, build_project, plan_desk
from tooltune.worlds.kinds import KINDS
from tooltune.worlds.pools import SPLITS, Pool

POOLS = {name: pool for name, pool in vars(pools).items() if isinstance(pool, Pool)}


def _build(world: World, folder: Path) -> Desk:
    folder.mkdir()
    return build_desk(world, folder)


def test_a_world_has_the_same_files_and_commit_hashes_every_time(tmp_path: Path) -> None:
    world = World("test", 3)
    first, second = _build(world, tmp_path / "a"), _build(world, tmp_path / "b")
    assert first == second
    assert len({commit.hash for project in first.projects for commit in project.commits}) >= 6


def test_commit_hashes_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    """Written down once: another git, clock, user or time zone must not change them."""
    plan = ProjectPlan("atlas", ["notes"])
    plan.branches, plan.tag, plan.files = ["next"], "v1", {"atlas/notes/a.md": "one\ntwo\n"}
    plan.commits = [
        ("Add a.md", {"atlas/notes/a.md": "one\n"}),
        ("Update a.md", {"atlas/notes/a.md": "one\ntwo\n"}),
    ]
    project = build_project(plan, tmp_path / "atlas")
    assert [commit.hash[:12] for commit in project.commits] == ["16b04eda0b67", "a875d69a6664"]


def test_the_description_of_a_desk_is_what_lies_on_disk(tmp_path: Path) -> None:
    desk = _build(World("train", 1), tmp_path / "desk")
    for project in desk.projects:
        for path, text in project.files.items():
            assert (tmp_path / "desk" / path).read_text(encoding="utf-8") == text
    for project, lead in desk.leads.values():
        assert lead.value in project.files[lead.path]


@pytest.mark.parametrize("split", SPLITS)
def test_every_desk_of_a_split_can_be_planned(split: pools.Split) -> None:
    for number in range(48):
        plans = plan_desk(World(split, number))
        assert len({plan.name for plan in plans}) == 3
        assert {kind for plan in plans for kind in plan.leads} == LEADS


LEADS = {"zone", "time", "branch", "word", "path"}


@pytest.mark.parametrize("name", POOLS)
def test_splits_share_no_value(name: str) -> None:
    pool = POOLS[name]
    for one, other in itertools.combinations(SPLITS, 2):
        assert not set(pool[one]) & set(pool[other])
    for split in SPLITS:
        assert len(set(pool[split])) == len(pool[split])


def test_time_zones_exist() -> None:
    from zoneinfo import ZoneInfo

    for split in SPLITS:
        for zone in pools.ZONES[split]:
            assert ZoneInfo(zone).key == zone


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("split", SPLITS)
def test_every_kind_of_world_can_be_built_in_every_split(
    split: pools.Split, kind: str, tmp_path: Path
) -> None:
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        KINDS[kind].build(World(split, number), folder)
