"""The page of a night in a browser: nothing overflows, nothing is fetched, nothing runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from tasks.report.report_page import report_page
from tests.night_report import night_report, nights_before

pytestmark = pytest.mark.e2e
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
HOSTILE = '</style><script>document.title="run"</script><img src="http://127.0.0.1:9/a.png">'
WORDS = f"{HOSTILE} {'Donaudampfschiff' * 12} & a title that goes on for some lines"
OUTSIDE = """() => [...document.body.querySelectorAll("*")]
  .filter(each => !each.closest(".scroll table") && !each.closest(".unseen"))
  .filter(each => each.getBoundingClientRect().right > window.innerWidth + 0.5)
  .map(each => `${each.tagName} ${each.className.baseVal ?? each.className}`)"""
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
CONTRASTS = """() => {
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = each => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.body.querySelectorAll("h1, h2, p, dt, dd, th, td, small, li, summary, b")]
    .map(each => [light(getComputedStyle(each).color), light(behind(each))])
    .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, with a profile of its own that goes with it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"a Chromium must be on the path, got none of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    """A full page on the disk, as a night leaves it, with words that want to be markup."""
    path = tmp_path / "report.html"
    reports = nights_before(28, text=WORDS)
    path.write_text(report_page(night_report(text=WORDS), reports), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of the test's own."""
    with browser.new_context() as context:
        yield context.new_page()


def open_at(page: Page, path: Path, width: int) -> list[str]:
    """Open a file at a width with all details unfolded; return the addresses it asked for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    return asked


def boxes(page: Page, selector: str) -> list[FloatRect]:
    """Where the shown elements lie."""
    return [box for each in page.locator(selector).all() if (box := each.bounding_box())]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_nothing_is_fetched(page, page_file, width, tmp_path):
    """On a phone and on a desk; only tables scroll sideways, inside themselves."""
    asked = open_at(page, page_file, width)
    scroll_width, client_width = page.evaluate(WIDTHS)
    assert scroll_width <= client_width == width
    assert page.evaluate(OUTSIDE) == []
    assert page.locator(".scroll table").count() >= 5
    shot = page.screenshot(path=tmp_path / f"{width}.png", full_page=True)
    assert asked == [page_file.as_uri()]
    assert page.title() == "Night of 2026-10-26: hold"  # the script in the words has not run
    page.goto("about:blank")
    assert len(shot) > 20 * len(page.screenshot(full_page=True))


@pytest.mark.parametrize("width", [390, 1280])
def test_the_rule_finds_what_overflows(page, page_file, width):
    """A planted box that is too wide is seen by both measures."""
    open_at(page, page_file, width)
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<hr class=wide style=width:2000px>')"
    )
    scroll_width, client_width = page.evaluate(WIDTHS)
    assert scroll_width > client_width
    assert page.evaluate(OUTSIDE) == ["HR wide"]


@pytest.mark.parametrize("width", [390, 1280])
def test_drawings_are_as_wide_as_their_place(page, page_file, width):
    """A drawing that collapsed would say nothing."""
    open_at(page, page_file, width)
    drawings = boxes(page, "svg.lines, svg.whisker")
    assert len(drawings) >= 8 + 4
    assert min(box["width"] for box in drawings) > 150
    assert min(box["height"] for box in drawings) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(page, page_file, scheme):
    """Contrast of at least 4.5 to 1, as WCAG 2.2 asks of text (1.4.3)."""
    page.emulate_media(color_scheme=scheme)
    open_at(page, page_file, 1280)
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 100
    assert min(ratios) >= 4.5


def test_paper_is_white_and_whole(page, page_file):
    """Also for those who read in the dark: no table is cut off, all tables fit the sheet."""
    page.emulate_media(media="print", color_scheme="dark")
    open_at(page, page_file, 700)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    overflow = "[...document.querySelectorAll('.scroll')].map(e => getComputedStyle(e).overflowX)"
    assert set(page.evaluate(overflow)) == {"visible"}
    assert max(box["x"] + box["width"] for box in boxes(page, "table")) <= 700
