"""How to see that what a page shows did no harm: nothing of it runs, loads, turns words around or is too wide."""

import re
from collections.abc import Sequence

from playwright.async_api import Page

from tests.e2e.test_looks import find_overflow

ALLOWED = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "span", "strong", "em"),
    *("del", "sub", "sup", "a", "button", "div", "table", "thead", "tbody", "tr", "th", "td"),
}
READ = """() => {
  const [others, inside] = [":not(.answer a)", ".answer *"].map((found) => [...document.querySelectorAll(found)]);
  return {
    hacked: "hacked" in window,
    base: document.baseURI,
    names: [...new Set(inside.map((element) => element.localName))],
    attributes: [...new Set(inside.flatMap((element) => element.getAttributeNames()))],
    links: inside.filter((element) => element.href).map((element) => element.getAttribute("href")),
    remote: others.flatMap((element) => [element.src, element.href, element.action])
      .filter((address) => typeof address === "string" && address && !address.startsWith(location.origin)),
    foreign: [...document.querySelectorAll("iframe, object, embed, form:not([class]), base, style, meta[http-equiv]")]
      .map((element) => element.outerHTML),
  };
}"""
ATTRIBUTES = {
    *(
        "href",
        "target",
        "rel",
        "type",
        "class",
        "tabindex",
        "start",
        "align",
        "data-cite",
        "aria-label",
        "aria-describedby",
    ),
    "dir",
}


async def check_harmless(page: Page) -> None:
    """Nothing ran, and nothing stands in the page that could run, load or send something."""
    found = await page.evaluate(READ)
    assert not found["hacked"]
    assert found["base"].startswith(page.url.split("#")[0])
    assert set(found["names"]) <= ALLOWED, found["names"]
    assert set(found["attributes"]) <= ATTRIBUTES, found["attributes"]
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in found["links"]), found["links"]
    assert not found["remote"]
    assert not found["foreign"]


# An answer clips what is wider than itself: that is cut off, not pushed aside.
WIDE = """() => [...document.querySelectorAll("*")]
  .filter((element) => element.scrollWidth > element.clientWidth + 1
    && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || element.matches("article.turn"))
    && !element.matches(".table, pre, .page-frame, .chosen"))
  .map((element) => element.className || element.localName)"""


async def check_width(page: Page) -> None:
    """Nothing is wider than the window, and nothing but tables and code is pushed aside."""
    assert await find_overflow(page) <= 0
    assert await page.evaluate(WIDE) == []


FIND_TURNED = """(phrases) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const place = (node, at) => {
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + 1);
    return range.getBoundingClientRect();
  };
  const found = {};
  for (let node; (node = walker.nextNode()); ) {
    for (const phrase of phrases) {
      const at = node.data.indexOf(phrase);
      if (at < 0) continue;
      const shown = [...phrase].map((_, index) => place(node, at + index)).filter(({ width }) => width > 0);
      if (shown.length < 2) continue;
      const follows = (box, before) => box.left > before.left || box.top > before.top;
      const straight = shown.slice(1).every((box, index) => follows(box, shown[index]));
      found[phrase] = (found[phrase] ?? true) && straight;
    }
  }
  return phrases.map((phrase) => [phrase, found[phrase] ?? null]).filter(([, straight]) => !straight);
}"""


async def check_straight(page: Page, phrases: Sequence[str]) -> None:
    """These words of the page itself are shown, each written from left to right; names of buttons turn nothing."""
    assert await page.evaluate(FIND_TURNED, list(phrases)) == []
    labels = await page.locator("[aria-label]").evaluate_all("all => all.map((each) => each.ariaLabel).join('')")
    assert not re.search("[\u202a-\u202e\u2066\u2067]", labels)
