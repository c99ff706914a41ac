"""Checks a synthesised dataset again, with none of the code that made it."""
