"""What of the page's own files travels: the code without its comments and indentation, which only people need.

Half of the page's weight would be documentation otherwise, and there is no build step that could take it out.
"""

import re

_COMMENT_LINES = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)
_INDENTATION = re.compile(r"^[ \t]+|^\n", re.MULTILINE)


def strip_source(source: str) -> str:
    """JavaScript or CSS without comments that have lines of their own, indentation and blank lines.

    Templates and other text must not span lines: `tests/test_page.py` holds that.
    """
    return _INDENTATION.sub("", _COMMENT_LINES.sub("", source))
