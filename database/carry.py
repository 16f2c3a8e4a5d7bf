"""Carrying an index elsewhere, as `python database/main.py` offers it: what is asked for, and what is told."""

import asyncio
from pathlib import Path

from database.backup import Carried, back_up, restore
from database.claims import Claims
from database.exporting import export
from database.importing import bring_in
from database.lock import load_lock
from database.report import Reporter
from database.settings import IndexSettings
from database.stores import make_store
from database.turns import Turns

TASKS = {
    "backup": "write the embedded store and the originals to FILE",
    "restore": "make DATA_DIR what a backup holds",
    "export": "write documents and ratings to FILE, from either store",
    "import": "add what an export holds to the store",
}


def run_task(task: str, file: Path, force: bool, settings: IndexSettings) -> int:
    """Back up, restore, export or import; the exit status. Raises `AcervoError`."""
    reporter = Reporter()
    if task == "backup":
        told = back_up(settings, file, force)
    elif task == "restore":
        told = asyncio.run(_restore(file, force, settings, reporter))
    else:
        told = asyncio.run(_transfer(task, file, force, settings, reporter))
    reporter.say(f"{task} of {file}: {told.documents} documents, {told.originals} originals")
    for document_id in told.missing:
        reporter.say(f"note     {document_id}: its original is not there; load its file again")
    return 0


async def _restore(file: Path, force: bool, settings: IndexSettings, reporter: Reporter) -> Carried:
    async with load_lock(settings.data_dir, reporter.say):
        return restore(settings, file, force)


async def _transfer(task: str, file: Path, force: bool, settings: IndexSettings, reporter: Reporter) -> Carried:
    store = make_store(settings)
    try:
        await store.open()
        if task == "export":
            return await export(store, settings.data_dir, file, force)
        async with (
            load_lock(settings.data_dir, reporter.say),
            Claims(store, settings.lease_s) as claims,
            Turns(store, claims, reporter.say).alone(),
        ):
            return await bring_in(store, settings.data_dir, file)
    finally:
        await store.aclose()
