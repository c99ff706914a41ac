"""Writes conversations by executing first: run a program on a desk, then word the request."""
