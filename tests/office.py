"""Documents of every format but PDF, made by the libraries that write them. For the tests of reading and loading."""

import datetime
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import docx
import openpyxl
import pptx
import pymupdf
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

NAVIGATION = "<nav><a href='/'>Início</a> <a href='/ajuda'>Ajuda e contato</a></nav>"
PAGE = f"""<!DOCTYPE html><html lang="pt"><head><meta charset="CHARSET"><title>O farol da ilha</title></head><body>
{NAVIGATION}<main><article><h1>O farol</h1><p>O farol da ilha guia os navios que passam à noite pela costa, desde que a
câmara mandou erguer a torre sobre as rochas.</p><h2>Construção</h2><p>A torre foi construída em 1887 por Amélia Duarte,
com pedra trazida de barco do continente, e custou quarenta contos de réis.</p>
<ul><li>Pedra<ul><li>granito</li></ul></li><li>Vidro</li></ul><table><tr><th>Ano</th><th>Visitas</th></tr><tr><td>1901</td><td>1.250</td></tr></table></article>
</main><footer>Todos os direitos reservados.</footer><script>alert("1999")</script></body></html>"""
MARKDOWN = """---
title: "Manual da colheita"
---
Maçãs
=====
A aldeia *colheu* **95** toneladas de [maçãs](https://serra.example) em 2021.

## Colmeias
```sh
# não é título
contar --colmeias
```

Mês | Colmeias
:--|--:
maio | 310
"""
TEXT = "Acta da sessão\r\n\r\nA Câmara aprovou a construção da ponte por 12 votos.\r\n\r\n# não é título\r\n"


def make_html(path: Path, charset: str = "utf-8") -> Path:
    """A web page with a main part, and what stands around it."""
    path.write_bytes(PAGE.replace("CHARSET", charset).encode(charset))
    return path


def make_markdown(path: Path) -> Path:
    """Headings of both kinds, code with a line like a heading, a table without outer bars."""
    path.write_text(MARKDOWN)
    return path


def make_text(path: Path) -> Path:
    """Portuguese in Windows' encoding."""
    path.write_bytes(TEXT.encode("cp1252"))
    return path


def make_csv(path: Path, rows: int = 400) -> Path:
    """As Excel in Portugal writes it: semicolons, decimal commas, Windows' encoding."""
    lines = ["Região;Mês;Maçãs (t)", *(f"Região {n};{n % 12 + 1};{n},5" for n in range(rows))]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    return path


def make_docx(path: Path) -> Path:
    """A contract: title, headings, a list, a table with merged cells."""
    document = docx.Document()
    document.core_properties.title = "Contrato de arrendamento"
    document.add_heading("Contrato", 0)
    document.add_heading("Renda", 1)
    document.add_paragraph("A renda mensal é de 850 euros, paga até ao dia oito.")
    for item in ("água incluída", "luz à parte"):
        document.add_paragraph(item, style="List Bullet")
    table = document.add_table(rows=2, cols=3)
    for place, text in enumerate(("Mês", "Valor", "", "maio", "850", "pago")):
        table.cell(place // 3, place % 3).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    document.add_heading("Prazo", 1)
    document.add_paragraph("O contrato dura trinta meses.")
    document.save(str(path))
    return path


def make_pptx(path: Path) -> Path:
    """A slide with a list and notes, one with a table and a chart, one with nothing."""
    show = pptx.Presentation()
    show.core_properties.title = "Resultados do cidreiro"
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Vendas de cidra"
    first.placeholders[1].text = "As vendas cresceram 12%\nOs custos caíram"
    first.notes_slide.notes_text_frame.text = "Agradecer à aldeia"
    second = show.slides.add_slide(show.slide_layouts[5])
    second.shapes.title.text = "Barris"
    cells = second.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for place, text in enumerate(("Adega", "Barris", "Norte", "77")):
        cells.cell(place // 2, place % 2).text = text
    data = CategoryChartData()
    data.categories = ["2021", "2022"]
    data.add_series("Litros", (1500, 1730))
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(4), Inches(3), data)
    show.slides.add_slide(show.slide_layouts[6])
    show.save(str(path))
    return path


def make_xlsx(path: Path, rows: int = 150) -> Path:
    """A sheet with a line above a header of two rows, dates, percentages; a hidden sheet; one more."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Colheita"
    sheet["A1"] = "Colheita da aldeia de Serra"
    sheet.append(["Talhão", "2022", None, "Data", "Quota"])
    sheet.append(["", "Maçãs", "Peras", "", ""])
    sheet.merge_cells("B2:C2")
    for n in range(rows):
        sheet.append([f"T{n}", n, n * 1.5, datetime.date(2022, 9, 1 + n % 28), 0.125])
        sheet.cell(n + 4, 5).number_format = "0.0%"
    book.create_sheet("Rascunho").append(["segredo", "1"])
    book["Rascunho"].sheet_state = "hidden"
    other = book.create_sheet("Abelhas")
    for row in (["Colmeia", "Mel"], ["C1", 33]):
        other.append(row)
    book.save(path)
    return path


def make_scan(path: Path, text: str = "A assembleia aprovou o orçamento de\n350 mil reais.") -> Path:
    """A picture of text, as a scanner makes it."""
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=400)
        page.insert_text((60, 80), text, fontsize=16)
        page.get_pixmap(dpi=200).save(path)
    return path


def make_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in members.items():
            package.writestr(name, data)
    return path


def replace_member(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """The zip at `path` with one member changed."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as package:
        members = {info.filename: package.read(info) for info in package.infolist()}
    return make_zip(path, members | {name: change(members[name])})
