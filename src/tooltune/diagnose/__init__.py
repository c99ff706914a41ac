"""Reads a training log, ours or another trainer's, and says what is wrong with the run."""
