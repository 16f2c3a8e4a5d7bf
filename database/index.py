"""What made an index, and whether the settings still ask for the same."""

import asyncio
from dataclasses import replace

from database import analysis, chunking
from database.documents import IndexRecord
from database.embedders import Embedder
from database.errors import IndexMismatch
from database.stores import Generation, Store

SCHEMA = 3
"""Changes when the stores' layout changes, or what they hold of a page. 2: pages are found as a whole.
3: by their document's title and by pairs of words, too."""
HEAVY_WINDOWS = 20_000
"""Windows are not searched for terms that more of them have: at 400,000 windows those are terms of every
twentieth. Whole pages, which are few, still are; docs/retrieval.md says what it costs."""
SAMPLE = 5000
"""Windows looked at to find the common terms."""


def make_record(embedder: Embedder) -> IndexRecord:
    """The record of an index that this open embedder and this version of the program would make."""
    return IndexRecord(
        schema=SCHEMA,
        embedder=embedder.name,
        dimension=embedder.dimension,
        chunker=chunking.FINGERPRINT,
        analyser=analysis.FINGERPRINT,
    )


def check_schema(record: IndexRecord) -> None:
    """Raise `IndexMismatch` when another version of the program made this index."""
    if record.schema != SCHEMA:
        raise IndexMismatch("The index was made by an older version. First type `python database/main.py --reindex`.")


def check_record(record: IndexRecord, embedder: Embedder) -> None:
    """Raise `IndexMismatch`, naming what differs and the command that rebuilds, unless all agrees.

    The embedder need not be open: its dimension is compared where vectors meet.
    """
    differing = _find_differences(record, embedder)
    if differing:
        raise IndexMismatch(
            f"The index was made otherwise: {'; '.join(differing)}. Rebuild it with "
            "`python database/main.py --reindex`, or go back to the settings that it was made with."
        )


async def check_index(store: Store, record: IndexRecord, embedder: Embedder) -> None:
    """As `check_record`; says so when an index that would do is being made."""
    unfinished = None if fits(record, embedder) else await store.read_next()
    if unfinished is not None and fits(unfinished, embedder):
        raise IndexMismatch(
            "The index is being rebuilt with these settings and answers once that is through. "
            "Should it have been stopped, `python database/main.py` goes on with it."
        )
    check_record(record, embedder)


def fits(record: IndexRecord, embedder: Embedder) -> bool:
    """Whether an index was made as `check_record` wants it."""
    return not _find_differences(record, embedder)


def _find_differences(record: IndexRecord, embedder: Embedder) -> list[str]:
    wanted = {
        "schema": SCHEMA,
        "embedder": embedder.name,
        "chunker": chunking.FINGERPRINT,
        "analyser": analysis.FINGERPRINT,
    }
    return [
        f"{name} {getattr(record, name)!r}, now {value!r}"
        for name, value in wanted.items()
        if getattr(record, name) != value
    ]


def check_dimension(record: IndexRecord, embedder: Embedder) -> None:
    """Raise `IndexMismatch` when the open embedder's vectors have another length than the index's."""
    if record.dimension != embedder.dimension:
        raise IndexMismatch(
            f"The index holds vectors of {record.dimension} dimensions, {embedder.name} now makes "
            f"{embedder.dimension}. Rebuild it with `python database/main.py --reindex`."
        )


async def describe_index(generation: Generation, record: IndexRecord, settled: bool = True) -> None:
    """Write the record of a whole index: with its languages and common terms, which questions are analysed with.
    It is not `settled` while others still publish."""
    sample = await generation.sample_windows(SAMPLE)
    documents = [document for document in await generation.list_documents() if document.searchable]
    # Beyond a share of the windows that shrinks as they grow in number, so that a question's time does not grow.
    share = min(analysis.COMMON_SHARE, HEAVY_WINDOWS / max(1, sum(d.window_count for d in documents)))
    words, grams = [window.words for window in sample], [window.grams for window in sample]
    common_words = await asyncio.to_thread(analysis.find_common, words)
    common_grams = await asyncio.to_thread(analysis.find_common, grams)
    heavy = await asyncio.to_thread(lambda: {*analysis.find_common(words, share), *analysis.find_common(grams, share)})
    described = replace(
        record,
        languages=tuple(sorted({document.language for document in documents if document.language})),
        common_words=common_words,
        common_grams=common_grams,
        heavy_terms=tuple(sorted(heavy - {*common_words, *common_grams})),
        settled=settled,
    )
    await generation.write_index(described)
