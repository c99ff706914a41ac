"""All scripts, and the same by name."""

from tooltune.synth.scripts import desk, files, graph, registers, store, sums, web

SCRIPTS = (*store.SCRIPTS, *graph.SCRIPTS, *files.SCRIPTS, *desk.SCRIPTS, *web.SCRIPTS, *sums.SCRIPTS, *registers.SCRIPTS)
BY_NAME = {one.name: one for one in SCRIPTS}
