"""Conversations a second of reading and of validate's checks: docs/data.md has its figures.

python -m tests.data.reading_speed data/mcp-agent/train.jsonl

Processor seconds, three times in one process; the first time every schema is compiled.
"""

import sys
import time
from pathlib import Path

from tooltune.data.readers import read_conversations
from tooltune.data.validate import validate


def main() -> None:
    path = Path(sys.argv[1])
    for _ in range(3):
        started = time.process_time()
        conversations = read_conversations(path).conversations
        read = time.process_time()
        validate(conversations)
        checked = time.process_time()
        count = len(conversations)
        print(
            f"{count} conversations: read {count / (read - started):,.0f} a second, "
            f"checked {count / (checked - read):,.0f}, both {count / (checked - started):,.0f}"
        )


if __name__ == "__main__":
    main()
