"""What answers, documents and their names may hold to do harm in the page; `harmless.py` sees whether it did."""

from pathlib import Path

from tests.pdfs import make_pdf

RUN = "window.hacked=1"
AWAY = "https://evil.example"

MARKUP = (
    f"<script>{RUN}</script>",
    f"<script src={AWAY}/x.js></script>",
    f"<img src=x onerror={RUN}>",
    f'<img src="{AWAY}/pixel.png">',
    f"<svg onload={RUN}><image href='{AWAY}/i.png'/></svg>",
    f"<svg><a xlink:href='javascript:{RUN}'><text>svg</text></a></svg>",
    f"<math><mi xlink:href='data:x,<script>{RUN}</script>'></mi></math>",
    f"<style>@import '{AWAY}/x.css'; * {{ display: none }}</style>",
    f'<iframe src="javascript:{RUN}" srcdoc="<script>top.{RUN}</script>"></iframe>',
    f'<form action="{AWAY}"><input autofocus onfocus={RUN} name=q><button formaction={AWAY}>ok</button></form>',
    f'<base href="{AWAY}/"><meta http-equiv="refresh" content="0;url={AWAY}"><link rel=stylesheet href="{AWAY}/x.css">',
    f"<details open ontoggle={RUN}><summary>s</summary></details>",
    f"<video src={AWAY}/v autoplay onerror={RUN}></video><object data={AWAY}></object><embed src={AWAY}>",
    f'<button class="chip" data-cite="1" onclick="{RUN}">1</button>',
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={RUN}&gt;'>",
    f"<sub onclick={RUN}>sub</sub> <br onclick={RUN}> <b style='position:fixed;inset:0'>over</b>",
    f"`<img src=x onerror={RUN}>` &lt;img src=x onerror={RUN}&gt; \\<script>{RUN}</script>",
    f'```"><img/src/onerror={RUN}>\n</code></pre><script>{RUN}</script>\n```',
    f'![picture]({AWAY}/p.png) !["onerror="{RUN}](x) ![d](data:image/svg+xml;base64,PHN2Zy8+) ![r][away]',
    f"| <script>{RUN}</script> | b\n|---|--:|\n| <img src=x onerror={RUN}> | `<svg onload={RUN}>` |",
)
"""Each stands in a paragraph of its own."""

HREFS = (
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"java\tscript:{RUN}",
    f"&#106;avascript:{RUN}",
    f"&#x6a;avascript&colon;{RUN}",
    f"%6aavascript:{RUN}",
    f"javascript%3A{RUN}",
    f"\x01javascript:{RUN}",
    f"javascript://evil.example/%0a{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    "data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTE8L3NjcmlwdD4=",
    f"vbscript:{RUN}",
    f"VB&#83;cript:{RUN}",
    "file:///etc/passwd",
    "blob:x",
    "ftp://evil.example",
    "intent://evil",
    "//evil.example",
    "\\\\evil.example",
    "/documents",
    f'https://evil.example/"onmouseover="{RUN}',
)


def make_links() -> str:
    """All of them, written in each way that Markdown has for links."""
    ways = [f"[one{n}]({href}) [two{n}](<{href}>) [three{n}][{n}a] <{href}>" for n, href in enumerate(HREFS)]
    definitions = [f"[{n}a]: {href} 'title'" for n, href in enumerate(HREFS)]
    return "\n\n".join([*ways, f"[away]: {AWAY}/r.png", *definitions])


def make_markup() -> str:
    """All of it with a word behind each piece, `kept0` and so on, which has to be shown."""
    return "\n\n".join(f"{piece}\n\nkept{n}" for n, piece in enumerate(MARKUP))


CITATIONS = f"""\
[999] [1][1][1] [1](javascript:{RUN}) [0] [-1] [1.5] [１] [1\u202e] [ 1 ] [1,2,999] [[1]] [^1] [1]{{.x}} [1 2]

[1]: javascript:{RUN}
[^1]: {AWAY}

<sup>[2]</sup>"""
CHIPS = ["1", "1", "1", "1", "1", "2", "1", "1", "1", "2"]
"""The citations that these are, in their order; all the others are words."""

MANY = 10_000
HEAVY = {
    "quotes": f"{'> ' * MANY}deep",
    "lists": f"{'- ' * MANY}deep",
    "brackets": f"{'[' * MANY}deep{']' * MANY}",
    "stars": f"{'*' * MANY}deep{'*' * MANY}",
    "underscores": f"{'a__b__' * MANY} deep",
    "steps": "\n".join(f"{'> ' * n}deep" for n in range(0, 400, 4)),
    "one line": " ".join(["x" * 20_000] * 50) + " deep",
    "table": f"|{'a|' * 300}\n|{'-|' * 300}\n" + f"|{'deep|' * 300}\n" * 5 + "| lone",
    "fences": "````\n```\n" * 200 + "~~~\ndeep",
    "tags": f"{'<div><!--' * MANY} deep",
    "entities": f"{'&amp;&#x3c;' * MANY} deep",
    "citations": f"{'[1]' * 2000} deep",
    "unseen": "\u200b\u200d\u2060\ufeff\u0301" * 2000 + " deep",
}

WIDE_PARTS = (
    f"# {'w' * 300}",
    f"{'> ' * 30}deep",
    f"{'- ' * 30}deep",
    "w" * 1000,
    HEAVY["table"],
    f"```\n{'w' * 1000}",
)
TURNED = "\u202e\u2067turned \u202b\u2066left open"
RIGHT_TO_LEFT = "القلعة تطل على البحر"
BIDI = f"""\
First {TURNED} [1]

Second paragraph.

- item {TURNED}
- next item

| one {TURNED} | two |
|---|---|
| {RIGHT_TO_LEFT} | \u200f\u061c end |

{RIGHT_TO_LEFT} [2] \u202a\u202a\u202a\u202d

Last words."""

NAMES = {
    f"<img src=x onerror={RUN}>.pdf": f"<svg onload={RUN}>",
    "annual\u202e\u2067\u202efdp.exe.pdf": f"</title><script>{RUN}</script>",
    f"{'x' * 200}.pdf": "y" * 300,
    "\"two\" 'one' &amp; {name} $& %00.pdf": "\u202e\u2067\u202b turned title {n}",
    f"{RIGHT_TO_LEFT}.pdf": RIGHT_TO_LEFT,
    "年度报告 与 账目.pdf": "javascript:" + RUN,
}
"""File name → title."""


def make_documents(folder: Path) -> None:
    """A document of each name, about quinces, its text full of markup."""
    folder.mkdir(parents=True)
    for n, (name, title) in enumerate(NAMES.items()):
        fact = f"The quinces of village {n} weighed {n + 3} tonnes in 19{n}0."
        make_pdf(folder / name, [f"{fact} {MARKUP[n]} [1](javascript:{RUN}) kept"], title=title)
