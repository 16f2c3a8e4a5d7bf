"""How deep the tests dig that try what they make up."""

import os

DEEP = int(os.environ.get("ACERVO_DEEP", "0"))
"""0: the same examples in every run. More: so many times as many besides, other ones in each run."""
