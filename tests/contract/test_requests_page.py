"""The requests page in a real browser, with the whole stack.

Screenshots are saved in `artifacts/`.
"""

import json
import re
import secrets
import socket
from pathlib import Path

import pytest
import requests
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from local.issuer import Issuer
from local.segments import PROTOCOL
from tests.contract.browser import keep
from tests.contract.test_console import CONTRAST, READABLE, Console
from tests.local.run import Run

OVERFLOW = "return document.documentElement.scrollWidth - innerWidth"
UNKNOWN = "01a2043a-b5d2-7386-b484-33764a732a70"
LINES = """
const range = new Range();
range.selectNodeContents(arguments[0]);
return new Set([...range.getClientRects()].map(({top}) => top)).size;
"""
HOSTILE = "<img src=x onerror=document.title='taken'>"


class Page(Console):
    """The requests page, and the API whose requests it shows."""

    def __init__(self, browser: Chrome, stack: Run) -> None:
        super().__init__(browser, stack.console_url)
        self._stack = stack
        self._token = Issuer(Path(stack.own["LOCAL_STATE"]), self.url).token()

    def open(self, trace_id: str = "") -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{self.url}/requests#{trace_id}")

    def send(self, method: str, path: str, **more: object) -> str:
        """Send a request with a new trace id; return the id."""
        trace_id = new_trace_id()
        headers = {"Authorization": f"Bearer {self._token}", "X-Amzn-Trace-Id": f"Root={trace_id}"}
        url = f"http://127.0.0.1:{self._stack.ports['PORT']}{path}"
        requests.request(method, url, headers=headers, timeout=30, **more)  # type: ignore[arg-type]
        return trace_id

    def row(self, trace_id: str) -> WebElement:
        """Wait until a request's row is complete, and return it."""
        return self.find(f"tr[data-id='{trace_id}']:has(.badge)")

    def listed(self) -> list[str | None]:
        return [row.get_attribute("data-id") for row in self.find_all("#requests tr")]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        link: str = self.browser.switch_to.active_element.get_attribute("href") or ""
        return link.rpartition("#")[2]

    def keep(self, name: str) -> bytes:
        return keep(self.browser, f"requests-{name}")


def new_trace_id() -> str:
    return f"1-5759e988-{secrets.token_hex(12)}"


@pytest.fixture
def page(stack: Run, browser: Chrome) -> Page:
    page = Page(browser, stack)
    page.open()
    return page


def test_new_request_appears_automatically(page: Page) -> None:
    page.find("#table")

    trace_id = page.send("GET", "/customers?limit=3")

    cells = page.row(trace_id).find_elements(By.TAG_NAME, "td")
    assert [cell.text for cell in cells][1:4] == ["GET", "/customers?limit=3", "200"]
    assert cells[5].text == "1"
    assert float(cells[4].text) > 0
    assert page.console_messages() == []


def test_details_are_opened_and_closed_by_keyboard(page: Page) -> None:
    older = page.send("GET", "/health")
    page.row(older)  # the list has the order in which the parts of the traces arrive
    newer = page.send("POST", "/customers", json={"email": HOSTILE})
    page.row(newer)

    page.find("#filter").click()
    page.press(Keys.ARROW_DOWN)
    assert page.focused() == newer
    page.press(Keys.ARROW_DOWN)
    assert page.focused() == older
    page.press(Keys.ARROW_UP, Keys.ENTER)

    title = page.find("#title")
    page.until(lambda _: title.text == "POST /customers 400")
    page.until(lambda browser: browser.switch_to.active_element.get_attribute("id") == "details")
    assert page.browser.current_url.endswith(f"#{newer}")
    names = [item.text for item in page.find_all("#waterfall .name")]
    assert names == ["customers/local (gateway)", "authorizer", "create_customer"]
    page.press(Keys.ESCAPE)
    page.until(lambda _: not title.is_displayed())
    assert page.focused() == newer


def test_link_shows_statements_with_plans_log_lines_and_metrics(page: Page) -> None:
    page.send("GET", "/customers")  # then the gateway has cached the result of the authorizer
    trace_id = page.send("GET", "/customers?q=ada")
    page.row(trace_id)

    page.open(trace_id)

    statement = page.find("#statements pre").text
    assert statement.startswith("SELECT STRAIGHT_JOIN")
    assert "\nFROM (\n" in statement
    page.find("#statements button").send_keys(Keys.ENTER)
    plan = page.find("#statements .plan ol").text
    assert "customers: index ix_customers_name_key, about " in plan
    request, response = page.find_all("#exchanges details")
    assert "\nauthorization: Bearer ***\n" in request.find_element(By.TAG_NAME, "pre").get_property(
        "textContent"
    )
    assert '"items": [' in response.find_element(By.CSS_SELECTOR, ".body").text
    line = page.find("#lines summary")
    assert line.text.endswith("INFO request")
    line.click()
    assert f'"trace_id": "{trace_id}"' in page.find("#lines pre").text
    assert "Statements 1 Count" in page.find("#metrics").text
    bars = page.find_all("#waterfall .bar-of-time")
    widths = [bar.size["width"] for bar in bars]
    assert len(widths) == 3
    assert widths == sorted(widths, reverse=True)
    assert bars[2].location["x"] >= bars[1].location["x"] >= bars[0].location["x"]
    assert page.console_messages() == []


def test_unknown_link_is_explained(page: Page) -> None:
    page.open(new_trace_id())

    assert "Unknown request" in page.find("#title").text
    assert page.find_all("#details h3:not([hidden] *)") == []


def test_response_of_the_gateway_has_its_request_id(page: Page, stack: Run) -> None:
    trace_id = new_trace_id()
    url = f"http://127.0.0.1:{stack.ports['PORT']}/customers"
    rejected = requests.get(url, headers={"X-Amzn-Trace-Id": f"Root={trace_id}"}, timeout=30)
    page.row(trace_id)

    page.open(trace_id)

    facts = page.find("#facts").text
    assert "none: the gateway responded" in facts
    assert rejected.headers["Request-Id"] in facts
    assert page.find("#metrics").text == "This request had no metrics."


def test_search_is_part_of_the_address_and_of_the_counts(page: Page) -> None:
    health, rejected = page.send("GET", "/health"), page.send("GET", "/customers/nobody")
    page.row(health)
    page.row(rejected)

    page.find("#filter").send_keys(f"customers 404 {rejected}")
    page.until(lambda _: page.listed() == [rejected])
    page.press(Keys.ARROW_DOWN)
    assert page.focused() == rejected
    assert re.match(r"1 of [1-9]\d* requests", page.find("#state").text)
    address = page.browser.current_url
    page.find("#filter").send_keys(" nothing")
    assert "No request matches" in page.find("#none").text
    page.find("#clear").click()
    page.row(health)

    page.browser.get("about:blank")
    page.browser.get(address)

    page.row(rejected)
    assert page.listed() == [rejected]


def test_slowest_request_is_first(page: Page) -> None:
    page.row(page.send("GET", "/customers"))
    page.row(page.send("GET", "/health"))

    Select(page.find("#order")).select_by_visible_text("slowest first")

    durations = [float(cell.text) for cell in page.find_all("#requests td:nth-child(5)")]
    assert durations == sorted(durations, reverse=True)
    assert page.browser.current_url.endswith("?order=slowest")


def test_conflict_is_shown_as_a_problem(page: Page) -> None:
    customer = {"email": f"{secrets.token_hex(4)}@example.com", "given_name": "Ada"}
    page.send("POST", "/customers", json=customer)
    conflict = page.send("POST", "/customers", json=customer)
    page.row(conflict)

    page.open(conflict)

    assert page.find("#problem h3").text == "409 Email address already in use"
    assert page.find_all(".bar-of-time.bad, .trouble") == []
    assert page.find("#statements summary").text.startswith("DuplicateKey")
    page.find("#statements button").click()
    assert page.find("#statements .plan li p").text == "customers: new rows"


def test_first_errors_of_many_are_shown(page: Page) -> None:
    rejected = page.send("POST", "/customers/batch", json={"items": [{}] * 12})
    page.row(rejected)

    page.open(rejected)

    page.find("#problem h3")
    *errors, rest = page.find_all("#problem li")
    assert len(errors) == 10
    assert rest.text == "2 more: see the body of the response"


def test_lines_of_a_traceback_are_not_wrapped(page: Page, stack: Run) -> None:
    traceback = f"  File app.py\n    {'value, ' * 50}\n    ^^^^^"
    trace_id = page.send("GET", "/health")
    line = {"trace_id": trace_id, "level": "ERROR", "message": "KeyError", "traceback": traceback}
    with (Path(stack.own["LOCAL_STATE"]) / "logs" / "api.log").open("a") as log:
        log.write(json.dumps(line) + "\n")
    page.row(trace_id)

    page.open(trace_id)

    assert page.browser.execute_script(LINES, page.find("pre.traceback")) == 3
    assert page.browser.execute_script(OVERFLOW) <= 0


def test_list_does_not_change_while_paused(page: Page) -> None:
    page.row(page.send("GET", "/health"))
    pause = page.find("#pause")
    pause.click()
    assert pause.get_attribute("aria-pressed") == "true"
    asked = "return performance.getEntriesByType('resource').length"
    before = page.browser.execute_script(asked)

    trace_id = page.send("GET", "/health")
    assert page.find_all(f"tr[data-id='{trace_id}']") == []
    assert page.browser.execute_script(asked) <= before + 1  # one may have been in progress
    pause.click()

    page.row(trace_id)


def send_segment(stack: Run, segment: dict[str, object]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        datagram = PROTOCOL + json.dumps(segment).encode()
        sender.sendto(datagram, ("127.0.0.1", stack.ports["XRAY_PORT"]))


def test_code_is_named_as_the_longest_part(page: Page, stack: Run) -> None:
    trace_id = new_trace_id()
    statement = {"id": "c" * 16, "name": "SELECT", "start_time": 1.2, "end_time": 1.3}
    operation = {"id": "b" * 16, "name": "get_customer", "start_time": 1.1, "end_time": 1.9}
    operation |= {"annotations": {"operation": "get_customer"}, "subsegments": [statement]}
    http = {"request": {"method": "GET", "url": "/customers/*"}, "response": {"status": 200}}
    gateway = {"id": "a" * 16, "name": "customers/local", "start_time": 1.0, "end_time": 2.0}
    segment = {**gateway, "trace_id": trace_id, "http": http, "subsegments": [operation]}
    send_segment(stack, segment)
    page.row(trace_id)

    page.open(trace_id)

    facts = page.find("#facts").text.replace("\u00a0", " ")
    assert "the code of get_customer: 700.0 ms" in facts


def test_segment_values_are_shown_as_text(page: Page, stack: Run) -> None:
    trace_id = new_trace_id()
    segment = {
        "trace_id": trace_id,
        "id": "a" * 16,
        "name": HOSTILE,
        "start_time": 1.0,
        "end_time": 2.0,
        "http": {"request": {"method": HOSTILE, "url": HOSTILE}, "response": {"status": 200}},
        "subsegments": [{"id": "b" * 16, "name": HOSTILE, "sql": {"sanitized_query": HOSTILE}}],
    }
    send_segment(stack, segment)

    assert page.row(trace_id).find_elements(By.TAG_NAME, "td")[2].text == HOSTILE
    page.open(trace_id)

    assert page.find("#statements pre").text == HOSTILE
    page.find("#statements button").click()
    assert "Only SELECT" in page.find("#statements .plan").text
    assert page.find_all("main img") == []
    assert page.browser.title != "taken"


def test_page_follows_the_systems_dark_mode_with_enough_contrast(page: Page) -> None:
    for path in ("/health", "/customers/nobody", "/customers?limit=2"):
        page.row(page.send("GET", path))
    trace_id = page.send("PATCH", "/customers/nobody", json={"given_name": "Ada"})
    page.row(trace_id)
    listed = page.send("GET", "/customers?q=ada&limit=3")
    page.row(listed)
    page.open(listed)
    page.find("#exchanges details")
    page.find("#statements button").click()
    page.find("#statements .plan ol")
    texts = "h1, h1 span, h2, h3, nav a, label, button, caption, th, td, td a, dt, dd, pre, .name"
    pictures, grounds = {}, {}

    for scheme in ("light", "dark"):
        page.prefer(scheme)
        contrasts = {
            item.text: page.browser.execute_script(CONTRAST, item)
            for item in page.find_all(texts)
            if item.text
        }
        assert {text: value for text, value in contrasts.items() if value < READABLE} == {}
        grounds[scheme] = page.background()
        page.browser.execute_script("scrollTo(0, 0)")
        pictures[scheme] = page.keep(scheme)

    assert grounds["light"] != grounds["dark"]
    assert pictures["light"] != pictures["dark"]


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_page_fits_any_screen(page: Page, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        trace_id = page.send("GET", f"/customers/{UNKNOWN}?fields=email")
        path = page.row(trace_id).find_element(By.TAG_NAME, "a")
        assert page.browser.execute_script(LINES, path) <= 3
        method, time = page.row(page.send("DELETE", f"/customers/{UNKNOWN}")).find_elements(
            By.CSS_SELECTOR, "td:nth-child(2), td:nth-child(1)"
        )
        assert method.location["y"] == time.location["y"]
        assert page.browser.execute_script(OVERFLOW) <= 0
        cut = "return [...document.querySelectorAll('#table :is(th, td)')]"
        cut += ".filter((each) => each.offsetWidth > 1 && each.scrollWidth > each.clientWidth)"
        texts = {cell.text for cell in page.browser.execute_script(cut)}
        assert texts <= {"", HOSTILE}

        page.open(trace_id)
        page.find("#exchanges details")
        page.find("#statements button").click()
        page.find("#statements .plan ol")

        assert page.browser.execute_script(OVERFLOW) <= 0
        page.browser.execute_script("scrollTo(0, 0)")
        page.keep(f"{width}")
        page.find("#close").click()
        assert page.row(trace_id) == page.browser.switch_to.active_element.find_element(
            By.XPATH, "ancestor::tr"
        )
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_page_is_small_and_loads_nothing_from_other_hosts(page: Page) -> None:
    page.row(page.send("GET", "/health"))

    script = (
        "return performance.getEntriesByType('resource')"
        ".map((each) => [each.name, each.decodedBodySize])"
    )
    loaded = page.browser.execute_script(script)

    assert all(name.startswith(page.url) for name, _ in loaded)
    own = [size for name, size in loaded if "/pages/" in name]
    assert len(own) == 6
    assert sum(own) < 50_000


def test_empty_page_explains_how_to_send_a_request(chrome: Chrome, tmp_path: Path) -> None:
    with Run(tmp_path, "run", "--no-api") as stack:
        stack.read_until("Ctrl-C")
        page = Page(chrome, stack)
        page.open()

        assert f"CONSOLE_PORT={stack.ports['CONSOLE_PORT']} " in page.find("#empty").text
        assert " make -s token" in page.find("#empty").text
        assert "curl http://127.0.0.1" in page.find("#empty").text
        (tmp_path / "logs" / "api.log").write_text('File "app.py", line 7\nSyntaxError\n')
        assert page.find("#failure-text").text == 'File "app.py", line 7\nSyntaxError'
