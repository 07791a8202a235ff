"""The console's pages in a real browser: by keyboard, on any screen, and for screen readers.

One browser and one stack serve all checks. Screenshots are saved in `artifacts/`.
"""

import re
import secrets
from itertools import product
from pathlib import Path

import pytest
import requests
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from local.console.templates import PAGES
from local.issuer import SUBJECT, Issuer
from tests.contract.browser import keep
from tests.contract.test_console import Console
from tests.local.run import Run, copy_of_project

WIDTHS = (320, 768, 1280)
SHOWN = {  # what a page has when it is complete
    "/": "#operations tr",
    "/customers": "#rows tr",
    "/customers#new": "#fields input",
    "/customers#{id}": "#history li",
    "/requests#{trace}": "#exchanges details",
    "/documentation": ".opblock",
    "/documentation#/customers/createCustomer": ".opblock .execute",
}
VIOLATIONS = """
const done = arguments[arguments.length - 1];
const rules = {"target-size": {enabled: true}, "td-has-header": {enabled: true}}; // as Lighthouse
axe.run({rules}).then(({violations}) => done(violations.map(
  ({id, nodes}) => `${id}: ${nodes.map(({target}) => target).join(", ")}`)));
"""
OUTSIDE = """
const right = (element) => element.getBoundingClientRect().right;
return [...document.querySelectorAll(".card :not(.wide *, .hidden)")]
  .filter((each) => each.checkVisibility() && right(each) > right(each.closest(".card")) + 1)
  .map((each) => each.outerHTML.slice(0, 80));
"""
COVERED = """
return [...document.querySelectorAll("#fields :is(input, select, button)")].filter((each) => {
  each.focus();
  const {left, top, width, height} = each.getBoundingClientRect();
  return document.elementFromPoint(left + width / 2, top + height / 2) !== each;
}).map((each) => each.outerHTML);
"""
SPLIT = """
const words = /(?<![A-Za-z0-9])[A-Za-z0-9]{2,20}(?![A-Za-z0-9])/g;
const ours = document.querySelector("main#content") ?? document.createElement("main");
const texts = document.createTreeWalker(ours, NodeFilter.SHOW_TEXT);
const range = document.createRange();
const split = [];
for (let text = texts.nextNode(); text; text = texts.nextNode()) {
  const {parentElement: owner} = text;
  if (!owner.checkVisibility() || owner.closest("pre, .hidden, .parts")) continue;
  for (const {0: word, index} of text.data.matchAll(words)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    if (range.getClientRects().length > 1) split.push(word);
  }
}
return split;
"""
FIRST_PAINT = """
const [first] = performance.getEntriesByName("first-contentful-paint");
return first ? first.startTime : null;
"""


class Pages(Console):
    """The console's pages, and the API that they use."""

    def __init__(self, browser: Chrome, stack: Run) -> None:
        super().__init__(browser, stack.console_url)
        self._api = f"http://127.0.0.1:{stack.ports['PORT']}"
        self._state = Path(stack.own["LOCAL_STATE"])

    def visit(self, path: str, shown: str) -> None:
        """Open a page, and wait until something is visible."""
        self.browser.get("about:blank")
        self.browser.get(self.url + path)
        self.find(shown)

    def tab_to(self, selector: str) -> None:
        """Press Tab until the element has the focus."""
        wanted = self.find(selector)
        for _ in range(120):
            if self.browser.switch_to.active_element == wanted:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"Tab does not lead to {selector}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def follow(self, selector: str) -> None:
        """Move to a link or a button by Tab, and press Enter."""
        self.tab_to(selector)
        self.press(Keys.ENTER)

    def type_in(self, label: str, text: str) -> None:
        """Move to the field with this label by Tab, and replace its value."""
        name = self.find(f"//label[starts-with(., '{label}')]", By.XPATH).get_attribute("for")
        self.tab_to(f"#{name}")
        self.press(Keys.CONTROL + "a", text)

    def wait_for(self, selector: str, text: str) -> None:
        self.until(lambda _: text in self.find(selector).text, f"{text!r} in {selector}")

    def choose_token(self, name: str) -> None:
        """Choose the token of the customers page, which then reads its list again."""
        self.visit("/customers", "#rows tr")
        Select(self.find("#scope")).select_by_visible_text(name)
        self.until(lambda _: len(self.find_all("#sent li")) > 1)

    def assert_token(self, path: str, name: str) -> None:
        self.visit(path, SHOWN[path])
        assert Select(self.find("#scope")).first_selected_option.text == name

    def create(self, **fields: str) -> str:
        """Create a customer as another client; return its id."""
        customer_id: str = self._send("POST", "/customers", fields).json()["id"]
        return customer_id

    def browse(self) -> None:
        """Send requests as another client, some of them invalid: figures for the overview."""
        for number in range(40):
            self._send("GET", f"/customers?limit={5 * (number % 23)}", {})

    def change_elsewhere(self, path: str, **fields: str) -> None:
        """Change a customer as another client."""
        self._send("PATCH", path, fields, "carol@example.com")

    def _send(
        self, method: str, path: str, fields: dict[str, str], caller: str = SUBJECT
    ) -> requests.Response:
        token = Issuer(self._state, self.url).token(subject=caller)
        headers = {"Authorization": f"Bearer {token}"}
        url = self._api + path
        return requests.request(method, url, headers=headers, json=fields, timeout=30)

    def statements(self) -> list[str]:
        """Return the SQL of the requests that the page has sent."""
        links = [link.get_attribute("href") for link in self.find_all("#sent li a")]
        urls = [f"{self.url}/requests/{link.rpartition('#')[2]}" for link in links]
        traces = [requests.get(url, timeout=60) for url in urls]
        segments = [part for trace in traces if trace.ok for part in trace.json()["segments"]]
        return [part["sql"] for part in segments if part["sql"]]

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def violations(self, axe: str) -> list[str]:
        self.browser.execute_script(axe)
        found: list[str] = self.browser.execute_async_script(VIOLATIONS)
        return found


@pytest.fixture
def pages(stack: Run, browser: Chrome) -> Pages:
    return Pages(browser, stack)


@pytest.fixture
def awkward(pages: Pages) -> dict[str, str]:
    """Create a customer with long words, and leave its request; return the ids of both."""
    name = "Wolfeschlegelsteinhausenbergerdorff" * 2
    customer = pages.create(
        email=f"{secrets.token_hex(16)}@{'b' * 60}.example.com", given_name=name
    )
    pages.visit(f"/customers#{customer}", "#sent li a[href*='/requests#']")
    trace = pages.find("#sent li a").get_attribute("href").rpartition("#")[2]
    return {"id": customer, "trace": trace}


def test_keyboard_leads_a_customer_through_its_whole_life(pages: Pages) -> None:
    pages.visit("/customers", "#rows tr")

    pages.follow("#create")
    pages.type_in("Email", "not-an-address")
    pages.press(Keys.ENTER)
    pages.wait_for("#fields .error", "Must be an email address")
    assert pages.browser.switch_to.active_element.get_attribute("aria-invalid") == "true"
    pages.type_in("Email", "grace@example.com")
    pages.type_in("Given name", "Grace")
    pages.press(Keys.ENTER)
    pages.wait_for("#state", "Created.")
    assert pages.find("#rows tr[aria-current]").text.startswith("Grace")
    path = "/customers/" + pages.browser.current_url.rpartition("#")[2]

    pages.change_elsewhere(path, company_name="Navy")
    pages.type_in("Given name", "Amazing Grace")
    pages.press(Keys.ENTER)
    pages.wait_for("#problem", "Somebody else changed this customer")
    assert "company_name is now Navy" in pages.find("#problem").text
    pages.follow("#problem button.primary")
    pages.wait_for("#state", "Saved: version 3.")
    pages.wait_for("#history li", "v3\nupdated")
    assert '"v3"' in pages.find("#facts").text
    assert "by carol@example.com" in pages.find("#history li:nth-child(2)").text

    pages.follow("#delete")
    pages.wait_for("#title", "deleted")
    pages.follow("#restore")
    pages.wait_for("#state", "Restored: version 5.")
    pages.follow("#erase")
    pages.follow("#confirm [value='erase']")
    pages.wait_for("#title", "erased")
    assert "Receipt" in pages.find("#facts").text

    pages.follow("#state a")
    pages.wait_for("#title", f"POST {path}/erase 204")
    pages.follow("#statements button")
    pages.wait_for("#statements .plan li", "customers: index PRIMARY, about 1 row")
    pages.follow("nav a[href='/']")
    pages.follow("#slowest a")
    pages.wait_for("#facts", "Longest part")
    pages.follow("nav a[href='/documentation']")
    pages.follow("[id$='-getErasure'] .opblock-summary-control")
    pages.tab_to("[id$='-getErasure'] input")
    pages.press(path.rpartition("/")[2])
    pages.follow("[id$='-getErasure'] .execute")
    pages.wait_for("[id$='-getErasure'] .live-responses-table tbody .response-col_status", "200")


@pytest.mark.exhaustive  # an event follows a minute after its change
def test_keyboard_leads_from_an_event_to_its_customer(pages: Pages) -> None:
    customer = pages.create(email="event@example.com", given_name="Eve")
    pages.visit("/events", "#content")
    link = f"#events a[href='/customers#{customer}']"
    pages.find(link, seconds=120)

    pages.follow(link)

    pages.wait_for("#history li", "v1\ncreated")
    pages.wait_for("#events li", "customer.created")
    assert "by local-developer" in pages.find("#updated").text


@pytest.mark.parametrize("width", [320, 1280])
def test_actions_do_not_cover_the_focus(pages: Pages, width: int) -> None:
    pages.resize(width)
    pages.visit("/customers#new", "#fields input")
    pages.follow("#fields .several button")

    covered = pages.browser.execute_script(COVERED)

    pages.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert covered == []


def test_request_is_copied_and_shown(pages: Pages) -> None:
    pages.visit("/customers?q=ann", "#sent li")

    pages.find("#sent li button[aria-label$='as curl']").click()
    copied = pages.find("#copy").text
    assert copied.startswith("curl -i 'http://127.0.0.1:")
    assert "q=ann" in copied
    pages.find("#sent li a").click()

    pages.wait_for("#title", " 200")
    assert pages.find("#title").text.startswith("GET /customers?")


def test_list_is_filtered_by_its_address_and_explains_a_wrong_filter(pages: Pages) -> None:
    pages.visit("/customers?status=inactive", "#rows tr")
    statuses = {badge.text for badge in pages.find_all("#rows .badge")}
    assert statuses == {"inactive"}

    pages.find("[name='q']").send_keys("a")

    pages.wait_for("#list-problem", "400: Validation failed")
    assert pages.find("#list-problem li").text.startswith("q ")
    assert not pages.browser.find_element(By.ID, "rows").is_displayed()
    assert pages.find("[name='q']").get_attribute("aria-invalid") == "true"
    assert "q=a" in pages.browser.current_url


def test_list_neither_counts_nor_skips_customers(pages: Pages) -> None:
    pages.visit("/customers", "#rows tr")
    first = len(pages.find_all("#rows tr"))

    pages.find("#more").click()
    pages.until(lambda _: len(pages.find_all("#rows tr")) > first)

    pages.until(lambda _: len(pages.statements()) >= 2)  # the traces follow their responses
    statements = pages.statements()
    assert len(statements) == 2
    assert all(sql.endswith("LIMIT :rows") for sql in statements)
    assert not re.search(r"\b(COUNT|OFFSET)\b", " ".join(statements), re.IGNORECASE)


def test_token_with_fewer_scopes_can_not_write(pages: Pages) -> None:
    pages.visit("/customers", "#rows tr")
    Select(pages.find("#scope")).select_by_visible_text("read only")
    pages.find("#create").click()

    pages.type_in("Email", "nobody@example.com")
    pages.type_in("Given name", "Kept")
    pages.press(Keys.ENTER)

    pages.wait_for("#problem", "403")
    assert pages.find("#fields input[id]").get_attribute("value") == "nobody@example.com"


def test_overview_shows_the_last_requests(pages: Pages) -> None:
    pages.browse()
    pages.visit("/", "#operations code")

    pages.wait_for("#running", "the API is running")
    pages.wait_for("#operations", "get_customers")
    assert pages.find("#rate-chart svg[role='img']").get_attribute("aria-label")
    pages.until(lambda _: pages.find_all("#rate-chart rect"))
    assert pages.console_messages() == []


@pytest.mark.parametrize("path", ["/", "/customers"])
def test_page_follows_the_systems_dark_mode(pages: Pages, path: str) -> None:
    pages.browse()
    pages.visit(f"{path}?q=an", SHOWN[path])  # some systems have no fonts for all names
    grounds = set()

    for scheme in ("light", "dark"):
        pages.prefer(scheme)
        grounds.add(pages.background())
        keep(pages.browser, f"{PAGES[path].file}-{scheme}")

    assert len(grounds) == 2


@pytest.mark.exhaustive  # a stack of its own
def test_edit_keeps_the_open_request_and_the_token(tmp_path: Path, browser: Chrome) -> None:
    app = copy_of_project(tmp_path) / "app.py"
    code = app.read_text()
    with Run(tmp_path / "state", "run", project=app.parent) as stack:
        stack.read_until("Ctrl-C")
        pages = Pages(browser, stack)
        pages.choose_token("read only")
        pages.find("#sent li a").click()
        pages.wait_for("#title", " 200")
        opened = pages.browser.current_url, pages.find("#title").text

        app.write_text(f"{code}def\n")
        pages.wait_for("#failure-text", f'File "{app}", line {code.count(chr(10)) + 1}')
        assert pages.find("#failure-text").text.endswith("SyntaxError: invalid syntax")
        assert (pages.browser.current_url, pages.find("#title").text) == opened
        app.write_text(code)
        pages.until(lambda browser: not browser.find_element(By.ID, "failure").is_displayed())
        assert (pages.browser.current_url, pages.find("#title").text) == opened
        pages.assert_token("/customers", "read only")
        pages.assert_token("/documentation", "read only")


@pytest.mark.exhaustive  # a stack of its own
def test_pages_say_why_the_api_does_not_respond_and_continue(
    tmp_path: Path, browser: Chrome
) -> None:
    app = copy_of_project(tmp_path) / "app.py"
    code = app.read_text()
    with Run(tmp_path / "state", "run", project=app.parent) as stack:
        stack.read_until("Ctrl-C")
        pages = Pages(browser, stack)
        customer = pages.create(email="kept@example.com", given_name="Kept")
        app.write_text(f"{code}def\n")
        stack.read_until("The next change")

        pages.visit("/", "#stopped")
        pages.follow("#stopped a")
        pages.wait_for("#failure-text", "SyntaxError")
        pages.visit(f"/customers#{customer}", "#problem h3")
        assert "The API does not respond" in pages.find("#list-problem").text
        app.write_text(code)

        pages.wait_for("#rows", "Kept")
        pages.wait_for("#title", "Kept")
        assert pages.find_all("#list-problem h3, #problem h3") == []


@pytest.mark.exhaustive  # each page takes several seconds
@pytest.mark.parametrize("path", [*SHOWN, "/requests", "/events", "/nothing"])
def test_page_fits_every_screen_and_axe_finds_nothing(
    pages: Pages, awkward: dict[str, str], node_modules: Path, path: str
) -> None:
    axe = (node_modules / "axe-core" / "axe.min.js").read_text()
    found, wide, outside, split, paints = {}, {}, {}, {}, {}

    for width, scheme in product(WIDTHS, ("light", "dark")):
        pages.resize(width)
        pages.visit(path.format(**awkward), SHOWN.get(path, "main"))
        pages.prefer(scheme)
        found[width, scheme] = pages.violations(axe)
        wide[width] = pages.browser.execute_script("return document.documentElement.scrollWidth")
        outside[width] = pages.browser.execute_script(OUTSIDE)
        split[width] = pages.browser.execute_script(SPLIT)
        paints[width, scheme] = pages.browser.execute_script(FIRST_PAINT)
        name = re.sub("[^a-z]+", "-", path).strip("-") or "overview"
        keep(pages.browser, f"page-{name}-{width}-{scheme}")
    pages.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    assert {case: names for case, names in found.items() if names} == {}
    assert {width for width, size in wide.items() if size > width} == set()
    assert {width: parts for width, parts in outside.items() if parts} == {}
    assert {width: words for width, words in split.items() if words} == {}
    assert all(paints.values())
