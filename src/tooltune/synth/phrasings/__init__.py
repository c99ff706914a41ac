"""Wordings, program by program: data in the grammar of `synth.grammar`."""
