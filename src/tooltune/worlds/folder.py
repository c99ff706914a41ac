"""What a folder holds, in memory, and a folder put back to it."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Content:
    """What a folder holds, in memory: relative path to bytes, and the folders."""

    files: dict[str, bytes]
    folders: frozenset[str]

    @classmethod
    def of(cls, root: Path) -> "Content":
        files, folders = {}, set()
        for path, is_folder in walk(str(root)):
            key = os.path.relpath(path, root)
            if is_folder:
                folders.add(key)
            else:
                files[key] = Path(path).read_bytes()
        return cls(files, frozenset(folders))


def restore(root: Path, content: Content) -> None:
    """Undo whatever was done in `root`, touching only what differs."""
    found: set[str] = set()
    for path, is_folder in list(walk(str(root))):
        key = os.path.relpath(path, root)
        if is_folder and key not in content.folders:
            shutil.rmtree(path, ignore_errors=True)
        elif not is_folder and key not in content.files:
            Path(path).unlink(missing_ok=True)
        elif is_folder or Path(path).read_bytes() == content.files[key]:
            found.add(key)
    for key in sorted(content.folders - found):
        (root / key).mkdir()
    for key in content.files.keys() - found:
        (root / key).write_bytes(content.files[key])


def file_hashes(root: Path) -> dict[str, str]:
    """Relative path to SHA-256, or to FOLDER."""
    return {
        path[len(str(root)) + 1 :]: (
            FOLDER if is_folder else hashlib.sha256(Path(path).read_bytes()).hexdigest()
        )
        for path, is_folder in walk(str(root))
    }


def walk(folder: str) -> Iterator[tuple[str, bool]]:
    """(path, whether it is a folder) of everything below, a folder before its content."""
    with os.scandir(folder) as entries:
        for entry in list(entries):
            is_folder = entry.is_dir(follow_symlinks=False)
            yield entry.path, is_folder
            if is_folder:
                yield from walk(entry.path)
