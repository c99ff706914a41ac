"""Chat templates compiled as transformers compiles them, so that both write the same text.

Templates come with model folders and are untrusted: they run in Jinja's immutable sandbox and see
plain strings, numbers, lists and dicts only.
"""

import json
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tooltune.errors import ModelError


def compile_template(source: str, *, where: str) -> Template:
    """Raises ModelError naming `where` and the line of a template that does not compile."""
    try:
        return _ENVIRONMENT.from_string(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ModelError(
            f"{where}: the chat template does not compile (line {line}: {error}). "
            "Repair chat_template.jinja."
        ) from None


class _GenerationTag(Extension):
    """`{% generation %}` marks the assistant's text for trainers; here it only prints its body."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own way to name them

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes <, > and & for HTML, which no model was trained on.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationTag, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


_ENVIRONMENT = _environment()
