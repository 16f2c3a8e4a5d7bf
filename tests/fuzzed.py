"""The real server over a copy of the library, to be sent anything. Its log must hold no traceback in the end."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from database.settings import ROOT
from tests.e2e.servers import make_environment
from tests.library import HARVEST, LIGHTHOUSE, Library
from tests.uploading import make_bytes

LIMIT_S = 20
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Fuzzed:
    """Where the server is, ids that are there (of documents and of jobs), and headers with an admin's session."""

    url: str
    ids: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]


@pytest.fixture(scope="module")
def server(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """The real program over a copy of the library, with one user and one job that is done."""
    data = tmp_path_factory.mktemp("fuzzed") / "data"
    shutil.copytree(library.data_dir, data)
    given = {
        "DATA_DIR": str(data),
        "PDF_DIR": str(data),
        "PORT": "0",
        "LLM": "extractive",
        "OLLAMA_HOST": "127.0.0.1:9",
        "LOGIN_LIMIT": "100000",
        "ASK_LIMIT": "100000",
    }
    with tempfile.NamedTemporaryFile() as log:
        command = [sys.executable, "-m", "app"]
        process = subprocess.Popen(command, cwd=ROOT, env=make_environment(**given), stdout=log, stderr=log)
        try:
            url = wait_for_address(process, Path(log.name))
            known = [library.documents[name].id for name in (LIGHTHOUSE, HARVEST)]
            admin = {"name": "ana", "password": PASSWORD}
            assert requests.post(f"{url}/users", json=admin, timeout=LIMIT_S).status_code == 201
            login = requests.post(f"{url}/login", json=admin, timeout=LIMIT_S)
            cookie = "; ".join(f"{name}={value}" for name, value in login.cookies.items())
            headers = {"Cookie": cookie, "Origin": url}
            job_id = load_one(url, make_bytes(data.parent), headers)
            yield Fuzzed(url, {"documents": known, "jobs": [job_id]}, headers)
        finally:
            process.terminate()
            process.wait(30)
        said = Path(log.name).read_text()
        assert "Traceback" not in said, said


def load_one(url: str, data: bytes, headers: Mapping[str, str]) -> str:
    """The id of a job that is done."""
    answer = requests.post(f"{url}/documents", files={"file": ("a.pdf", data)}, headers=headers, timeout=LIMIT_S)
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["jobs"][0]["id"]
    lines = requests.get(f"{url}/jobs/{job_id}", headers=headers, timeout=60).text.splitlines()
    assert json.loads(lines[-1])["state"] == "done", lines
    return str(job_id)


def wait_for_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 60
    while not (said := re.search(r"http://localhost:\d+", log.read_text())):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return said[0].replace("localhost", "127.0.0.1")
