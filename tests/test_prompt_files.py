"""The rules of a model as files: those shipped, those of PROMPT, the examples, and what is told of wrong ones."""

from pathlib import Path

import pytest

from app.prompt_files import QUOTING, SHIPPED, read_prompts
from app.settings import ServerSettings
from database.errors import SettingsError
from database.settings import ROOT
from tests.fakes.ollama import FakeOllama
from tests.library import QUESTION, Library
from tests.server import ask, check_shape, serve

EXAMPLES = sorted(path for path in (ROOT / "examples/prompts").iterdir() if path.is_dir())
ENGLISH = "How many tonnes of apples did the village harvest?"


@pytest.mark.parametrize("language", ["pt", "en", "es", "fr"])
def test_each_language_has_rules_of_its_own(language: str) -> None:
    text = read_prompts().system(language)
    assert "<source>" in text and "[2][3]" in text and "{" not in text
    assert len(text.splitlines()) == 6 and (language == "en") == text.startswith("You answer")


@pytest.mark.parametrize(("language", "named"), [("de", "German"), ("it", "Italian"), ("", "the language of the")])
def test_others_are_answered_by_the_english_ones(language: str, named: str) -> None:
    assert f"Answer in {named}" in read_prompts().system(language)


def test_one_file_stands_for_all_languages(tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    path.write_bytes(b"\xef\xbb\xbfBe short. {{x}} Answer in {language}.\n")
    prompts = ServerSettings.load(prompt=str(path)).prompt
    assert prompts.system("pt") == "Be short. {x} Answer in Portuguese." + QUOTING


def test_rules_that_explain_the_sources_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "en.md").write_text("Cite what stands in <source>.")
    (tmp_path / "README.md").write_text("{not} a prompt")
    assert read_prompts(tmp_path).system("pt") == "Cite what stands in <source>."


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"en.md": b"Hi {name} in {language}"}, "en.md has the unknown placeholder {name}; there is only {language}"),
        ({"en.md": b"Hi {}"}, "en.md has the unknown placeholder {}"),
        ({"en.md": b"Hi {language!r:>9}"}, "unknown placeholder {language}"),
        ({"en.md": b"Hi {language.__class__}"}, "unknown placeholder {language.__class__}"),
        ({"en.md": b"a } b"}, "en.md has a single brace"),
        ({"en.md": b"caf\xe9"}, "en.md is not UTF-8 (byte 3)"),
        ({"en.md": b" \n", "pt.md": b"{x}"}, "en.md is empty; pt.md has the unknown"),
        ({"en.md": b"x" * 20_000}, "more than 16384 bytes"),
        ({"pt.md": b"Oi"}, "holds no en.md"),
        ({"en.md": b"Hi", "pt-BR.md": b"Oi"}, "pt-BR.md: name the files by their language"),
        ({}, "holds no en.md"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_what_is_wrong_is_told_at_start(tmp_path: Path, files: dict[str, bytes] | None, said: str) -> None:
    folder = tmp_path / "prompts"
    if files is not None:
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        ServerSettings.load(prompt=str(folder))
    assert "PROMPT=" in str(caught.value) and said in str(caught.value)


@pytest.mark.parametrize("folder", [SHIPPED, *EXAMPLES], ids=lambda path: path.name)
async def test_the_model_is_given_the_rules_in_the_language_of_the_question(library: Library, folder: Path) -> None:
    given = {} if folder == SHIPPED else {"prompt": str(folder)}
    async with FakeOllama() as fake, serve(library.data_dir, llm="ollama", ollama_host=fake.url, **given) as served:
        for language, question in (("pt", QUESTION), ("en", ENGLISH)):
            answer = await ask(served, question)
            check_shape(answer)
            system, user = fake.requests[-1][1]["messages"]
            assert answer.lines[0]["language"] == language
            assert system["content"] == read_prompts(folder).system(language)
            assert "<source n=" in user["content"] and user["content"].endswith(question)
    assert {"en", "pt"} <= set(read_prompts(folder).texts) and len(EXAMPLES) == 2
