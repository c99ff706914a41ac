"""Seeded sandboxes in which programs are executed: a desk of small projects, and servers on it."""
