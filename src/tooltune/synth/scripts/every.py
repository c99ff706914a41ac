"""All scripts, by name."""

from tooltune.synth.scripts import (
    desk,
    desk_shell,
    everything,
    files,
    files_steps,
    graph,
    registers,
    store,
    store_steps,
    sums,
    web,
)

_MODULES = (
    store,
    store_steps,
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
