"""What a load finds on disk, compares with the index and decides to do."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.changes import Changes, FoundFile, find_changes, full_path
from database.documents import Document, Name
from database.errors import AcervoError, ReadError
from database.files import LEFTOVER_S, Originals, drop_leftovers, find_files
from database.plan import KEPT, Plan, Versions, make_plan, without

ROOT = "/pdf"
VERSIONS = Versions("contents-2", "reader-2")


def make_document(key: str, *paths: str, root: str = ROOT, **given: object) -> Document:
    document = Document(key, key.upper(), tuple(Name(root, path) for path in paths), 1, state="ready", version="old")
    return replace(document, **given)  # type: ignore[arg-type]


def make_file(path: str, key: str, root: str = ROOT) -> FoundFile:
    return FoundFile(Name(root, path), key, 1)


def compare(documents: list[Document], files: list[FoundFile], *scopes: str) -> Changes:
    return find_changes(documents, files, [PurePath(scope) for scope in scopes or (ROOT,)])


def plan_for(documents: list[Document], files: list[FoundFile], retry: bool = False) -> Plan:
    return make_plan(compare(documents, files), {d.id: d for d in documents}, VERSIONS, retry)


def paths(names: Iterator[Name] | list[Name] | tuple[Name, ...]) -> list[str]:
    return [name.path for name in names]


# Changes


def test_each_kind_of_change() -> None:
    documents = [make_document("a", "same.pdf"), make_document("b", "other.pdf"), make_document("c", "gone.pdf")]
    files = [make_file("same.pdf", "a"), make_file("other.pdf", "b2"), make_file("new.pdf", "n")]
    changes = compare(documents, files)
    assert changes.unchanged == [files[0]]
    assert changes.changed == [files[1]]
    assert changes.added == [files[2]]
    assert changes.removed == [(documents[2], documents[2].names[0])]


def test_loading_one_folder_leaves_others_alone() -> None:
    documents = [make_document("a", "in/a.pdf"), make_document("b", "b.pdf"), make_document("c", "c.pdf", root="/else")]
    changes = compare(documents, [], "/pdf/in")
    assert changes.removed == [(documents[0], documents[0].names[0])]
    assert compare(documents, [], "/pdf/i").removed == []
    assert compare(documents, [make_file("b.pdf", "b")], "/pdf/b.pdf") == Changes(unchanged=[make_file("b.pdf", "b")])


def test_a_place_is_the_same_below_any_root() -> None:
    documents = [make_document("a", "in/a.pdf")]
    assert compare(documents, [make_file("a.pdf", "a", root="/pdf/in")]).unchanged
    assert full_path(Name("/pdf", "in/a.pdf")) == full_path(Name("/pdf/in", "a.pdf"))


def test_a_renamed_file_is_added_and_removed() -> None:
    changes = compare([make_document("a", "old.pdf")], [make_file("new.pdf", "a")])
    assert paths(f.name for f in changes.added) == ["new.pdf"]
    assert paths(name for _, name in changes.removed) == ["old.pdf"]


def test_one_of_two_names_vanishes() -> None:
    changes = compare([make_document("a", "one.pdf", "two.pdf")], [make_file("two.pdf", "a")])
    assert paths(name for _, name in changes.removed) == ["one.pdf"]
    assert paths(f.name for f in changes.unchanged) == ["two.pdf"]


@pytest.mark.parametrize("new", ["a", "z"])
def test_a_place_that_two_documents_hold_is_put_right(new: str) -> None:
    """A load was killed after it published new bytes and before it dropped the old ones."""
    documents = [make_document(new, "x.pdf"), make_document("m", "x.pdf")]
    assert paths(f.name for f in compare(documents, [make_file("x.pdf", new)]).changed) == ["x.pdf"]
    assert {d.id for d, _ in compare(documents, []).removed} == {new, "m"}


def test_what_was_deleted_in_the_page_stays_out_whatever_its_bytes() -> None:
    hidden = replace(make_document("a"), names=(Name(ROOT, "a.pdf", excluded=True), Name(ROOT, "copy.pdf")))
    files = [make_file("a.pdf", "other"), make_file("copy.pdf", "a"), make_file("b.pdf", "other")]
    changes = compare([hidden], files)
    assert changes == Changes(excluded=files[:1], unchanged=files[1:2], added=files[2:])
    plan = plan_for([hidden], files)
    assert [paths(job.document.names) for job in plan.jobs] == [["b.pdf"]]
    assert compare([hidden], [make_file("a.pdf", "a")]).excluded
    assert paths(name for _, name in compare([hidden], files[1:]).removed) == ["a.pdf"]


KEYS = st.sampled_from("abc")
PLACES = st.sampled_from(["1.pdf", "2.pdf", "in/3.pdf", "in/4.pdf"])


@given(st.dictionaries(PLACES, KEYS), st.dictionaries(PLACES, KEYS))
def test_every_file_and_every_name_is_counted_once(known: dict[str, str], found: dict[str, str]) -> None:
    documents = [make_document(key, *(p for p in known if known[p] == key)) for key in sorted(set(known.values()))]
    changes = compare(documents, [make_file(path, key) for path, key in found.items()])
    counted = [*changes.added, *changes.changed, *changes.unchanged]
    assert sorted(paths(f.name for f in counted)) == sorted(found)
    assert sorted(paths(name for _, name in changes.removed)) == sorted(set(known) - set(found))
    assert {f.name.path for f in changes.unchanged} == {p for p in found if known.get(p) == found[p]}
    assert {f.name.path for f in changes.added} == set(found) - set(known)


# The plan


def test_new_bytes_are_read_once_whatever_their_names() -> None:
    plan = plan_for([], [make_file("a.pdf", "x"), make_file("b.pdf", "x"), make_file("c.pdf", "y")])
    assert [(j.document.id, paths(j.document.names), j.source) for j in plan.jobs] == [
        ("x", ["a.pdf", "b.pdf"], Path("/pdf/a.pdf")),
        ("y", ["c.pdf"], Path("/pdf/c.pdf")),
    ]
    assert not plan.adopted and all(not job.replaced for job in plan.jobs)


def test_known_bytes_get_a_further_name_without_reading() -> None:
    plan = plan_for([make_document("x", "a.pdf")], [make_file("a.pdf", "x"), make_file("b.pdf", "x")])
    (job,) = plan.adopted
    assert paths(job.document.names) == ["a.pdf", "b.pdf"] and job.document.state == "ready"
    assert plan.jobs == [] and plan.unchanged == ["a.pdf"]


def test_a_changed_file_remembers_what_it_replaces() -> None:
    plan = plan_for([make_document("x", "a.pdf")], [make_file("a.pdf", "y"), make_file("b.pdf", "y")])
    (job,) = plan.jobs
    assert set(paths(job.document.names)) == {"a.pdf", "b.pdf"}
    assert paths(job.replaced) == ["a.pdf"]


def test_queued_documents_are_read_again_from_file_or_original() -> None:
    documents = [
        make_document("x", "a.pdf", state="queued", version=""),
        make_document("y", "away.pdf", root="/else", state="queued", version=""),
    ]
    plan = plan_for(documents, [make_file("a.pdf", "x")])
    assert [(job.document.id, job.source) for job in plan.jobs] == [("x", Path("/pdf/a.pdf")), ("y", None)]
    assert plan.reread == ["a.pdf", "away.pdf"] and plan.unchanged == []


def test_a_failed_file_is_told_again_and_read_again_only_for_a_reason() -> None:
    failed = make_document("x", "a.pdf", state="failed", reason="damaged", version=VERSIONS.reader)
    file = make_file("a.pdf", "x")
    plan = plan_for([failed], [file])
    assert (plan.skipped, plan.jobs) == ({"a.pdf": "damaged"}, [])
    assert [j.document.id for j in plan_for([failed], [file], retry=True).jobs] == ["x"]
    assert [j.document.id for j in plan_for([replace(failed, version="reader-1")], [file]).jobs] == ["x"]


def test_a_further_name_of_failed_bytes_is_told_too() -> None:
    failed = make_document("x", "a.pdf", state="failed", reason="damaged", version=VERSIONS.reader)
    files = [make_file("a.pdf", "x"), make_file("b.pdf", "x")]
    plan = plan_for([failed], files)
    assert plan.skipped == {"a.pdf": "damaged", "b.pdf": "damaged"}
    assert [paths(job.document.names) for job in plan.adopted] == [["a.pdf", "b.pdf"]]
    plan = plan_for([failed], files, retry=True)
    assert [paths(job.document.names) for job in plan.jobs] == [["a.pdf", "b.pdf"]]
    assert not plan.adopted and not plan.skipped


def test_a_file_that_becomes_failed_bytes_keeps_what_it_was() -> None:
    failed = make_document("x", "a.pdf", state="failed", reason="damaged", version=VERSIONS.reader)
    good = make_document("y", "b.pdf")
    plan = plan_for([failed, good], [make_file("a.pdf", "x"), make_file("b.pdf", "x")])
    assert plan.skipped == {"a.pdf": "damaged", "b.pdf": "damaged" + KEPT}
    assert not plan.adopted and not plan.jobs


def test_incomplete_documents_are_read_again_for_a_reason() -> None:
    file, gaps = make_file("a.pdf", "x"), ("page 2 has no text",)
    assert plan_for([make_document("x", "a.pdf", notes=gaps)], [file]).reread == ["a.pdf"]
    current = make_document("x", "a.pdf", notes=gaps, version=VERSIONS.contents)
    assert plan_for([current], [file]).unchanged == ["a.pdf"]
    assert plan_for([current], [file], retry=True).reread == ["a.pdf"]
    assert plan_for([make_document("x", "a.pdf")], [file]).unchanged == ["a.pdf"]


def test_excluded_names_stay_excluded() -> None:
    hidden = replace(make_document("x"), names=(Name(ROOT, "a.pdf", excluded=True),))
    plan = plan_for([hidden], [make_file("a.pdf", "x"), make_file("b.pdf", "x")])
    assert [name.excluded for name in plan.adopted[0].document.names] == [True, False]


def test_without_takes_one_name_by_its_place() -> None:
    document = make_document("x", "in/a.pdf", "b.pdf")
    assert paths(without(document, Name("/pdf/in", "a.pdf")).names) == ["b.pdf"]
    assert without(document, Name("/pdf", "c.pdf")) == document


# Files


@contextmanager
def unprivileged() -> Iterator[None]:
    """For root, to whom every file is open, the rights of nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with two documents that everybody may read."""
    place = tmp_path / "documents"
    (place / "in").mkdir(parents=True)
    (place / "b.pdf").write_bytes(b"b")
    (place / "in" / "A.PDF").write_bytes(b"a")
    for parent in (tmp_path, *tmp_path.parents):
        if Path(tempfile.gettempdir()) in parent.parents:
            parent.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_documents_are_found_below_a_folder(folder: Path) -> None:
    for name in (".hidden.pdf", "notes.xyz", "c.pdf.part"):
        (folder / name).write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "d.pdf").write_bytes(b"x")
    (folder / "folder.pdf").mkdir()
    files, closed = find_files([folder])
    assert closed == {}
    assert files == [
        FoundFile(Name(str(folder), "b.pdf"), hashlib.sha256(b"b").hexdigest(), 1),
        FoundFile(Name(str(folder), "in/A.PDF"), hashlib.sha256(b"a").hexdigest(), 1),
    ]


def test_a_file_given_by_name_is_taken_whatever_it_is_called(folder: Path) -> None:
    (folder / "notes").write_bytes(b"x")
    files, _ = find_files([folder / "notes", folder / "b.pdf"])
    assert [file.name for file in files] == [Name(str(folder), "notes"), Name(str(folder), "b.pdf")]


def test_a_file_below_two_given_folders_is_found_once(folder: Path) -> None:
    files, _ = find_files([folder, folder / "in"])
    assert sorted(full_path(f.name) for f in files) == [folder / "b.pdf", folder / "in/A.PDF"]


def test_the_data_folder_is_no_place_for_documents(folder: Path) -> None:
    files, _ = find_files([folder], without=folder / "in")
    assert paths(f.name for f in files) == ["b.pdf"]


def test_closed_files_and_folders_are_told_apart_from_missing_ones(folder: Path) -> None:
    (folder / "b.pdf").chmod(0)
    (folder / "in").chmod(0)
    try:
        with unprivileged():
            files, closed = find_files([folder])
    finally:
        (folder / "in").chmod(0o755)
    assert files == []
    assert closed == {
        path: "cannot be opened: Permission denied. Check its permissions."
        for path in (folder / "b.pdf", folder / "in")
    }


def test_what_is_no_file_is_told_and_never_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.pdf")
    (folder / "broken.pdf").symlink_to("nowhere")
    files, closed = find_files([folder])
    assert len(files) == 2
    assert closed[folder / "pipe.pdf"].startswith("cannot be opened: it is not a regular file.")
    assert closed[folder / "broken.pdf"].startswith("cannot be opened: No such file or directory.")


def test_links_out_of_the_folder_are_told_and_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.pdf").write_bytes(b"secret")
    (folder / "out.pdf").symlink_to(tmp_path / "secret.pdf")
    (folder / "around.pdf").symlink_to(Path("in", "..", os.path.relpath(tmp_path / "secret.pdf", folder)))
    (folder / "within.pdf").symlink_to("in/A.PDF")
    (folder / "elsewhere").symlink_to(tmp_path)
    (tmp_path / "way").symlink_to(folder)
    files, closed = find_files([folder])
    assert sorted(paths(file.name for file in files)) == ["b.pdf", "in/A.PDF", "within.pdf"]
    assert closed.keys() == {folder / "out.pdf", folder / "around.pdf"}
    assert closed[folder / "out.pdf"].startswith("is a link to a file outside its folder.")
    assert len(find_files([tmp_path / "way"])[0]) == 3, "the folder itself may be reached by a link"
    assert len(find_files([folder / "out.pdf"])[0]) == 1, "so may a file that is named"


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="macOS refuses such names")
def test_names_in_another_encoding_are_told(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/relat\xf3rio.pdf")).write_bytes(b"x")
    files, closed = find_files([folder])
    assert len(files) == 2
    assert list(closed.values()) == ["has a name that is not UTF-8. Rename it."]


def test_originals_are_kept_by_hash_and_dropped(tmp_path: Path) -> None:
    source, originals = tmp_path / "a.pdf", Originals(tmp_path / "files")
    source.write_bytes(b"bytes" * 500_000)
    key = hashlib.sha256(source.read_bytes()).hexdigest()
    kept = originals.keep(source, key)
    assert kept == originals.path(key) == tmp_path / "files" / key[:2] / f"{key}.pdf"
    assert kept.read_bytes() == source.read_bytes()
    source.unlink()
    assert originals.keep(source, key) == kept
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    originals.drop(key)
    originals.drop(key)
    assert not kept.exists()


def test_a_file_that_changes_or_goes_while_it_is_copied_is_not_kept(tmp_path: Path) -> None:
    source, originals = tmp_path / "a.pdf", Originals(tmp_path / "files")
    source.write_bytes(b"still growing")
    with pytest.raises(ReadError, match="changed while it was being read"):
        originals.keep(source, "0" * 64)
    with pytest.raises(ReadError, match="cannot be read any more: No such file"):
        originals.keep(tmp_path / "b.pdf", "0" * 64)
    assert [*(tmp_path / "files/00").iterdir()] == []


def test_a_data_folder_that_cannot_be_written_ends_the_load(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"x")
    (tmp_path / "files").write_bytes(b"a file where a folder should be")
    with pytest.raises(AcervoError, match="DATA_DIR cannot be written") as caught:
        Originals(tmp_path / "files").keep(tmp_path / "a.pdf", "0" * 64)
    assert not isinstance(caught.value, ReadError)


def test_half_written_files_are_dropped_when_they_are_old(tmp_path: Path) -> None:
    places = [tmp_path / "files/00", tmp_path / "pages/0/reader"]
    for place in places:
        place.mkdir(parents=True)
        for name in ("old.part", "new.part", "old.pdf"):
            (place / name).write_bytes(b"x")
        for name in ("old.part", "old.pdf"):
            os.utime(place / name, (time.time() - LEFTOVER_S - 9,) * 2)
    drop_leftovers(tmp_path)
    assert [sorted(path.name for path in place.iterdir()) for place in places] == [["new.part", "old.pdf"]] * 2
