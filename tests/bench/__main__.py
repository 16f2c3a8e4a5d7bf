"""Runs every measurement in a folder of its own and prints one table a part: `python -m tests.bench`.

Real documents are taken from the folder that ACERVO_BENCH_PDFS names; without it, the sample in `pdf/`.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from rich.console import Console

from database.settings import ROOT
from tests.bench.loading import measure_loading
from tests.bench.searching import measure_searching
from tests.bench.streaming import measure_streaming
from tests.bench.table import print_rows


async def main() -> None:
    """Measure and print."""
    console = Console(width=110)
    os.environ["ACERVO_ENV_FILE"] = os.devnull  # a .env may name a store that is in use
    pdfs = Path(os.environ.get("ACERVO_BENCH_PDFS") or ROOT / "pdf")
    with tempfile.TemporaryDirectory(prefix="acervo-bench-") as folder:
        data_dir = Path(folder)
        loading = await measure_loading(pdfs, data_dir)
        print_rows(console, f"Loading {pdfs.name}/", loading)
        print_rows(console, "Searching a large index", await measure_searching(data_dir))
        print_rows(console, "Asking and streaming", await measure_streaming(data_dir))


asyncio.run(main())
