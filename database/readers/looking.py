"""What kind of document a file without PDF's signature is, and whether it can be read, inside a worker process."""

from pathlib import Path

from database.formats import SNIFF_BYTES, find_start, find_text
from database.readers import decoding, packages
from database.readers.opening import Facts, check_file

HEAD_BYTES = 1 << 16


def preload() -> None:
    """Import what looking needs before processes are forked."""
    decoding.preload()


def look(path: Path, name: str, max_file_mb: int) -> Facts:
    """What is known of an Office document or a text, whose file is called `name`. Raises `ReadError`."""
    check_file(path, max_file_mb)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if find_start(head[:SNIFF_BYTES]) == "zip":
        return Facts(0, "", False, packages.find_format(path))
    return Facts(0, "", False, find_text(decoding.decode(head[: len(head) // 4 * 4]), name))
