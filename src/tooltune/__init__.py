"""tooltune turns MCP servers into a small private model that calls their tools correctly.

Nothing heavy is imported here: `import tooltune` needs neither torch nor pydantic.
"""

__version__ = "0.1.0"
