"""The name under which the servers of one DATA_DIR claim work in the store."""

import contextlib
import secrets
import socket
from pathlib import Path

from database.errors import SettingsError

FILE = "server.id"


def name_holder(data_dir: Path) -> str:
    """The same after a restart, and another one on a machine that only has its name and its paths from the same
    template. Raises `SettingsError`."""
    path = data_dir / FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), path.open("x") as file:
            file.write(secrets.token_hex(8))
        return f"{socket.gethostname()}:{path.read_text()}"
    except OSError as error:
        raise SettingsError(f"DATA_DIR {data_dir} cannot be written: {error.strerror}. Choose another.") from error
