"""The loader: `python database/main.py [PATHS]` puts files, folders and web pages into the index. It also carries the
index elsewhere."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, so that no module in it can shadow the standard library.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace

from database.belonging import check_collection
from database.carry import TASKS, run_task
from database.embedders import make_embedder
from database.errors import AcervoError, SettingsError, WrongCollection
from database.executors import Workers
from database.executors.dask import connect
from database.load import Loader, LoadOptions
from database.lock import load_lock
from database.report import Reporter, print_summary
from database.settings import IndexSettings
from database.stores import make_store
from database.watching import watch
from database.web import is_address

EPILOG = """exit status: 0 all loaded, 1 failed, 2 wrong usage, 3 loaded but some files were skipped,
130 interrupted (what was finished is kept; the next load does the rest)"""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python database/main.py",
        description="Load PDFs into the index: new, changed and removed files since the last load.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATHS", help="files, folders or web addresses (default: PDF_DIR)")
    parser.add_argument("--watch", action="store_true", help="stay, and load again whenever a file changes")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    parser.add_argument("--retry", action="store_true", help="read skipped and incomplete files again")
    parser.add_argument("--reindex", action="store_true", help="rebuild the index with the present settings")
    parser.add_argument(
        "--collection",
        metavar="NAME",
        type=read_collection,
        help="put what lies below PATHS into this collection, now and in later loads (default: as before)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have documents made by the workers of a Dask cluster, such as tcp://host:8786 (`make dask`)",
    )
    kept = parser.add_argument_group("carrying the index elsewhere, also while a server is at work")
    one = kept.add_mutually_exclusive_group()
    for name, help_text in TASKS.items():
        one.add_argument(f"--{name}", metavar="FILE", type=Path, help=help_text)
    kept.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--json", action="store_true", help="one JSON object per load on standard output")
    parsed = parser.parse_args(arguments)
    if parsed.paths and find_task(parsed):
        parser.error("PATHS are for loading; --backup, --restore, --export and --import take one FILE")
    if parsed.scheduler and find_task(parsed):
        parser.error("--scheduler is for loading")
    parsed.addresses = [path for path in parsed.paths if is_address(path)]
    parsed.paths = [Path(path) for path in parsed.paths if not is_address(path)]
    if parsed.watch and parsed.addresses:
        parser.error("--watch is for files and folders: nothing tells when a web page changes")
    return parsed


def find_task(arguments: argparse.Namespace) -> tuple[str, Path] | None:
    """Which of `TASKS` is asked for, and its file."""
    asked = {name: getattr(arguments, name) for name in TASKS}
    return next(((name, Path(os.path.abspath(file))) for name, file in asked.items() if file), None)


def read_collection(name: str) -> str:
    """A collection's name as it is kept; the command line is wrong if it cannot be one."""
    try:
        return check_collection(name)
    except WrongCollection as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def find_paths(arguments: argparse.Namespace, settings: IndexSettings) -> list[Path]:
    """What to load, absolute: the paths given, or PDF_DIR, which is made when it is missing."""
    if not arguments.paths and not arguments.addresses:
        try:
            settings.pdf_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"PDF_DIR {settings.pdf_dir} is no folder: {error.strerror}. Choose another."
            ) from error
        return [settings.pdf_dir]
    return [Path(os.path.abspath(path)) for path in arguments.paths]


async def run(arguments: argparse.Namespace, settings: IndexSettings) -> int:
    """Load once, or for as long as `--watch` runs; the exit status."""
    task = asyncio.current_task()
    assert task is not None
    # SIGTERM stops a load as Ctrl+C does: what is finished stays, converters are ended.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    paths = find_paths(arguments, settings)
    options = LoadOptions(paths, arguments.dry_run, arguments.retry, arguments.reindex, arguments.collection)
    if not arguments.watch:
        return await _load_once(settings, options, arguments, arguments.addresses)
    async with aclosing(watch(paths, settings.data_dir)) as turns:
        async for _ in turns:
            try:
                await _load_once(settings, options, arguments)
                options = replace(options, retry=False, reindex=False)
            except AcervoError as error:  # the next change may find the store or the folder back
                print(f"Not loaded: {error}", file=sys.stderr)
    return 0


async def _load_once(
    settings: IndexSettings, options: LoadOptions, arguments: argparse.Namespace, addresses: Sequence[str] = ()
) -> int:
    reporter = Reporter(quiet=arguments.json)
    async with AsyncExitStack() as stack:
        if addresses:  # before the lock: sites may take their time
            from database.web.loading import fetch_pages

            pages = await stack.enter_async_context(fetch_pages(settings, addresses, reporter.say))
            options = replace(options, pages=pages)
        await stack.enter_async_context(load_lock(settings.data_dir, reporter.say))
        workers = None
        if arguments.scheduler and not options.dry_run:
            workers = await stack.enter_async_context(connect(arguments.scheduler, reporter.say))
        loader = await stack.enter_async_context(_opened(settings, reporter, workers))
        summary = await loader.load(options)
    print_summary(summary, arguments.json)
    return summary.exit_status


@asynccontextmanager
async def _opened(settings: IndexSettings, reporter: Reporter, workers: Workers | None) -> AsyncIterator[Loader]:
    store, embedder = make_store(settings), make_embedder(settings)
    try:
        await store.open()
        yield Loader(settings, store, embedder, reporter, workers)
    finally:
        await embedder.aclose()
        await store.aclose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the loader; the exit status."""
    parsed = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    task = find_task(parsed)
    try:
        settings = IndexSettings.load()
        if task:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half written goes
            return run_task(*task, parsed.force, settings)
        return asyncio.run(run(parsed, settings))
    except AcervoError as error:
        print(f"{'Not done' if task else 'Not loaded'}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Stopped. What was finished is kept; load again for the rest.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    os.umask(0o077)  # what is written is its owner's alone
    raise SystemExit(main())
