"""All scripts, by name."""

from tooltune.synth.scripts import (
    desk,
    desk_shell,
    everything,
    files,
    files_steps,
    graph,
    registers,
    sheets,
    sheets_chains,
    sheets_steps,
    store,
    store_steps,
    sums,
    web,
)

_MODULES = (
    store,
    store_steps,
    sheets,
    sheets_steps,
    sheets_chains,
    graph,
    files,
    files_steps,
    desk,
    desk_shell,
    web,
    sums,
    registers,
    everything,
)
BY_NAME = {script.name: script for module in _MODULES for script in module.SCRIPTS}
