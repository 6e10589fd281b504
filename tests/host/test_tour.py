"""What docs/tour.md quotes stands in the sources: each block without a language, line by line, in one file of pfm/."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def _quotes(text):
    """The blocks between fences that name no language."""
    blocks = re.split(r"^```(.*)\n", text, flags=re.MULTILINE)
    # After each piece of text: the fence's language, and what it encloses or follows.
    fenced = zip(blocks[1::4], blocks[2::4], strict=True)
    return [block for language, block in fenced if not language]


QUOTES = _quotes((ROOT / "docs" / "tour.md").read_text())
SOURCES = {
    str(path.relative_to(ROOT)): [line.strip() for line in path.read_text().splitlines()]
    for folder in ("pfm", "kernel")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def _stands_in(lines, source):
    """Whether the lines stand in the source in this order; "..." and other lines may be between them."""
    at = 0
    for line in lines:
        if line in ("", "..."):
            continue
        if line not in source[at:]:
            return False
        at = source.index(line, at) + 1
    return True


def test_there_are_quotes():
    assert len(QUOTES) > 5


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: quote.split("\n")[0].strip())
def test_quote_stands_in_a_source(quote):
    lines = [line.strip() for line in quote.splitlines()]
    assert [name for name, source in SOURCES.items() if _stands_in(lines, source)]
