"""The errors a user can cause, as the command line tells them apart.

Every message reads `WHERE: WHAT (got X, expected Y). FIX.`; the command line prints it
without a traceback and ends with `exit_code`. Our own mistakes stay `assert`s.
"""


class TooltuneError(Exception):
    """Base of everything a user can cause and repair."""

    exit_code = 2
    is_common = True
    """Every process of one run meets it, so the first on a machine tells it for all; otherwise the
    process that raises it does."""


class ConfigError(TooltuneError):
    """A recipe, an `mcp.json` or a command-line option is wrong."""


class DataError(TooltuneError):
    """A dataset or a file of a run folder is wrong."""


class ServerError(TooltuneError):
    """A tool server did not start, answer or behave."""


class ModelError(TooltuneError):
    """Model weights, a tokenizer or a checkpoint are wrong."""
