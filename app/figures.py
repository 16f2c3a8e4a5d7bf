"""The figures in a text, and whether those of one text stand in another. Pure.

The same amount is written in many ways: `1.234,5` and `1,234.5`, `R$ 5 milhões` and `5.000.000`,
`3` and `três`, `19` and `XIX`. Where a way of writing is ambiguous, every reading of it counts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from database.analysis import fold

_SPACES = " \u00a0\u202f"
_NUMBER = re.compile(rf"\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,'’]\d+)*")
_DIGIT = re.compile(r"\d")
_SPACE = re.compile(rf"[{_SPACES}]")
_ROMAN = re.compile(r"\b(?=[IVXLC])((?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?<=[IVXLC])(?:e|er|ème)?\b")
_SCALE = re.compile(r"\W{0,2}([a-z]+)(?:\W+de\W+|\W+)?([a-z]*)")
_WORD = re.compile(r"[a-z]+")

SCALES = {
    1e3: "mil thousand mille k",
    1e6: "milhao milhoes million millions millon millones mi mn m mio",
    1e9: "bilhao bilhoes billion billions bn bi b milliard milliards",
    1e12: "trilhao trilhoes trillion trillions tn",
}
"""By folded words that follow a number. "mil milhões" and "mil millones" are 1e9."""
_BY_WORD = {word: scale for scale, words in SCALES.items() for word in words.split()}

_UNITS = {
    0: "zero cero",
    2: "dois duas two dos deux",
    3: "tres three trois",
    4: "quatro four cuatro quatre",
    5: "cinco five cinq",
    6: "seis six",
    7: "sete seven siete sept",
    8: "oito eight ocho huit",
    9: "nove nine nueve neuf",
    10: "dez ten diez dix",
    11: "onze eleven once",
    12: "doze twelve doce douze",
    13: "treze thirteen trece treize",
    14: "quatorze catorze fourteen catorce",
    15: "quinze fifteen quince",
    16: "dezesseis dezasseis sixteen dieciseis seize",
    17: "dezessete dezassete seventeen diecisiete",
    18: "dezoito eighteen dieciocho",
    19: "dezenove dezanove nineteen diecinueve",
    20: "vinte twenty veinte vingt",
    30: "trinta thirty treinta trente",
    40: "quarenta forty cuarenta quarante",
    50: "cinquenta fifty cincuenta cinquante",
    60: "sessenta sixty sesenta soixante",
    70: "setenta seventy septante",
    80: "oitenta eighty ochenta",
    90: "noventa ninety noventa nonante",
    100: "cem cento hundred cien ciento cent",
    1000: "mil thousand mille",
}
_BY_NAME = {word: value for value, words in _UNITS.items() for word in words.split()}
_BY_NAME |= {"um": 1, "uma": 1, "one": 1, "uno": 1, "una": 1, "un": 1, "une": 1}
_MONTHS = (
    "janeiro january enero janvier, fevereiro february febrero fevrier, marco march marzo mars, abril april avril, "
    "maio may mayo mai, junho june junio juin, julho july julio juillet, agosto august aout, "
    "setembro september septiembre septembre, outubro october octubre octobre, "
    "novembro november noviembre novembre, dezembro december diciembre decembre"
)
_BY_NAME |= {word: month for month, words in enumerate(_MONTHS.split(","), 1) for word in words.split()}

_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number as written. `values` are its readings, each with the decimals it shows; `scale` is
    what a word after it multiplies it by."""

    written: str
    values: tuple[tuple[float, int], ...]
    scale: float = 1.0

    @property
    def digits(self) -> int:
        """How many digits are written."""
        return sum(c.isdigit() for c in self.written)


def find_figures(text: str) -> list[Figure]:
    """The figures written in digits, in order; not those inside a word, such as m3 or H2O."""
    if not _DIGIT.search(text):
        return []
    found = []
    for match in _NUMBER.finditer(text):
        if text[: match.start()][-1:].isalpha():
            continue
        scale = _find_scale(text[match.end() : match.end() + 24])
        found.append(Figure(match[0], _read(match[0]), scale))
    return found


def read_evidence(text: str) -> list[Figure]:
    """All that a figure may be found in: digits, number words, months and Roman numerals."""
    figures = find_figures(text)
    for figure in [f for f in figures if _SPACE.search(f.written)]:  # two columns of a table, perhaps
        figures.extend(Figure(part, _read(part)) for part in _SPACE.split(figure.written))
    numerals = [_whole(_read_roman(m[1])) for m in _ROMAN.finditer(text)]
    return [*figures, *numerals, *_read_words(_WORD.findall(fold(text)))]


def is_found(claim: Figure, evidence: Iterable[Figure]) -> bool:
    """Whether one of `evidence` says the same, or what the claim is a rounding of."""
    return any(_says(claim, figure) for figure in evidence)


def _says(claim: Figure, source: Figure) -> bool:
    if claim.written == source.written:
        return claim.scale == source.scale or 1.0 in (claim.scale, source.scale)
    return any(
        _is_near(claim, value, decimals, source, other)
        for value, decimals in claim.values
        for other, _ in source.values
    )


def _is_near(claim: Figure, value: float, decimals: int, source: Figure, other: float) -> bool:
    """Equal as amounts; or as written, since tables put their scale in the heading; or rounded."""
    if _same(value * claim.scale, other * source.scale):
        return True
    if _same(value, other) and 1.0 in (claim.scale, source.scale):
        return True
    if claim.scale == 1.0 and not decimals:
        return False  # a year or a count is not rounded
    scales = (source.scale,) if source.scale != 1.0 else (1.0, 1e3, 1e6)
    return source.digits > claim.digits > 1 and any(
        _same(round(other * scale / claim.scale, decimals), value) for scale in scales
    )


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1.0)


def _read(written: str) -> tuple[tuple[float, int], ...]:
    plain = re.sub(rf"[{_SPACES}'’]", "", written)
    groups = re.split(r"[.,]", plain)
    marks = [c for c in plain if c in ".,"]
    readings = []
    if not marks or (len(set(marks)) == 1 and all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3):
        readings.append((float("".join(groups)), 0))
    if marks and marks[-1] not in marks[:-1]:
        readings.append((float("".join(groups[:-1]) + "." + groups[-1]), len(groups[-1])))
    return tuple(readings)


def _find_scale(after: str) -> float:
    match = _SCALE.match(fold(after))
    if match is None or match[1] not in _BY_WORD:
        return 1.0
    scale = _BY_WORD[match[1]]
    thousands_of = scale == 1e3 and _BY_WORD.get(match[2], 0) == 1e6
    return 1e9 if thousands_of else scale


def _read_roman(numeral: str) -> int:
    values = [_ROMAN_VALUES[c] for c in numeral]
    return sum(-v if v < following else v for v, following in zip(values, [*values[1:], 0], strict=True))


def _read_words(words: Sequence[str]) -> list[Figure]:
    """Number words, each alone and added up with those next to it ("vinte e cinco", "twenty five")."""
    found, total, run = [], 0, False
    for word in [*words, ""]:
        value = _BY_NAME.get(word)
        if value is not None:
            found.append(_whole(value))
            total = total * value if run and value >= 100 > total > 0 else total + value
            run = True
        elif run and word not in ("e", "y", "et", "and"):
            found.append(_whole(total))
            total, run = 0, False
    return found


def _whole(value: int) -> Figure:
    return Figure(str(value), ((float(value), 0),))
