"""What a build step would do to the page's own files, done when the server starts.

The code travels without comments and indentation, which only people need: half of the page's weight
would be documentation otherwise. And the page names every module that it starts with, so that the
browser asks for all of them at once instead of finding one behind the other.
"""

import posixpath
import re
from collections.abc import Mapping

_COMMENT_LINES = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r'^(?:import|export)\b[^;"]*?\bfrom "([^"]+)";|^import "([^"]+)";', re.MULTILINE)
_INDENTATION = re.compile(r"^[ \t]+|^\n", re.MULTILINE)


def strip_source(source: str) -> str:
    """JavaScript or CSS without comments that have lines of their own, indentation and blank lines.

    Templates and other text must not span lines: `tests/test_page.py` holds that.
    """
    return _INDENTATION.sub("", _COMMENT_LINES.sub("", source))


def find_modules(entry: str, sources: Mapping[str, str]) -> list[str]:
    """The addresses of all modules that `entry` starts with, by static imports; itself left out.

    `sources` are the texts of the modules by address.
    """
    found, waiting = {entry: None}, [entry]
    while waiting:
        address = waiting.pop()
        for relative, bare in _IMPORT.findall(sources.get(address, "")):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(address), relative or bare))
            if target in sources and target not in found:
                found[target] = None
                waiting.append(target)
    return [address for address in found if address != entry]


def add_preloads(html: str, modules: list[str]) -> str:
    """The page with a link for each of `modules` in its head."""
    links = "".join(f'<link rel="modulepreload" href="{address}" />\n' for address in modules)
    return html.replace("</head>", f"{links}</head>", 1)
