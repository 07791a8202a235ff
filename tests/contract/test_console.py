"""The documentation page in a real browser: contents, requests, tokens, and errors.

Screenshots are saved in `artifacts/`.
"""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from local.processes import Child, answers, free_port, is_free
from tests.contract.browser import keep
from tests.local.run import Run

DEFAULT_PORTS = {"PORT": 8000, "DATA_API_PORT": 8001, "DATABASE_PORT": 8002, "CONSOLE_PORT": 8003}
READABLE = 4.5
"""The minimum contrast of text: WCAG 2.2, success criterion 1.4.3."""
CONTRAST = """
const channels = (color) => color.match(/[0-9.]+/g).map(Number);
const over = ([r, g, b, a = 1], below) =>
  a === 0 ? below : [r, g, b].map((each, i) => each * a + below[i] * (1 - a));
const ground = (element) => {
  const own = channels(getComputedStyle(element).backgroundColor);
  if (own[3] === undefined) return own;
  return over(own, element.parentElement ? ground(element.parentElement) : [255, 255, 255]);
};
const luminance = (color) => color.slice(0, 3).map((each) => each / 255)
  .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
  .reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0);
const below = ground(arguments[0]);
const text = luminance(over(channels(getComputedStyle(arguments[0]).color), below));
const [light, dark] = [text, luminance(below)].sort((a, b) => b - a);
return (light + 0.05) / (dark + 0.05);
"""


class Console:
    """The console's page in a browser."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self) -> None:
        """Open the page; wait until it shows its operations and has a token."""
        self.browser.get(f"{self.url}/documentation")
        self.find(".authorize.locked")
        self.find(".opblock")

    def find(self, selector: str, by: str = By.CSS_SELECTOR, *, seconds: float = 60) -> WebElement:
        """Wait for a visible element, and return it."""

        def visible(browser: Chrome) -> WebElement | None:
            found = browser.find_elements(by, selector)
            return next((item for item in found if item.is_displayed()), None)

        return self.until(visible, selector, seconds)

    def find_all(self, selector: str) -> list[WebElement]:
        found: list[WebElement] = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return found

    def until(self, holds: Any, message: str = "", seconds: float = 60) -> Any:
        ignored = [StaleElementReferenceException]
        wait = WebDriverWait(self.browser, seconds, ignored_exceptions=ignored)
        return wait.until(holds, message)

    def expand(self, operation: str) -> str:
        """Open an operation; return the selector of its block."""
        block = f"[id$='-{operation}']"
        self.find(f"{block} .opblock-summary-control").click()
        self.find(f"{block} .execute")
        return block

    def execute(self, operation: str) -> tuple[str, str]:
        """Send an operation with its default values; return the displayed status and body."""
        block = self.expand(operation)
        self.find(f"{block} .execute").click()
        answer = f"{block} .live-responses-table tbody"
        status = self.find(f"{answer} .response-col_status").text
        return status, self.find(f"{answer} .response-col_description").text

    def prefer(self, scheme: str) -> None:
        """Emulate a system that prefers light or dark; wait until the page has that scheme."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        is_dark = "return document.documentElement.classList.contains('dark-mode')"
        dark = scheme == "dark"
        self.until(lambda browser: browser.execute_script(is_dark) == dark)

    def background(self) -> str:
        body = self.browser.find_element(By.TAG_NAME, "body")
        color: str = body.value_of_css_property("background-color")
        return color

    def console_messages(self) -> list[str]:
        """Return the messages of the browser's console since the last call."""
        return [f"{item['level']} {item['message']}" for item in self.browser.get_log("browser")]

    def keep(self, name: str) -> bytes:
        return keep(self.browser, f"console-{name}")


@pytest.fixture
def console(stack: Run, browser: Chrome) -> Console:
    return Console(browser, stack.console_url)


@pytest.fixture
def api(stack: Run) -> str:
    return f"http://127.0.0.1:{stack.ports['PORT']}"


def test_every_operation_is_shown_without_errors(console: Console, api: str) -> None:
    console.open()

    document = requests.get(f"{api}/openapi.json", timeout=60).json()
    documented = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    shown = [block.get_attribute("id").rpartition("-")[2] for block in console.find_all(".opblock")]
    assert sorted(shown) == sorted(documented)
    assert console.console_messages() == []


def test_page_loads_nothing_from_other_hosts(console: Console, api: str) -> None:
    console.open()

    script = "return performance.getEntriesByType('resource').map((each) => each.name)"
    loaded = console.browser.execute_script(script)

    assert all(url.startswith((f"{console.url}/", f"{api}/")) for url in loaded)
    assert any("swagger-ui-bundle.js" in url for url in loaded)


def test_request_is_sent_with_the_default_token(console: Console) -> None:
    console.open()

    status, body = console.execute("getCustomers")

    assert status == "200"
    assert '"items"' in body
    assert console.console_messages() == []
    console.keep("response")


def test_example_creates_a_customer(console: Console, stack: Run) -> None:
    console.open()

    status, body = console.execute("createCustomer")

    assert status == "201"
    assert '"email": "ada@example.com"' in body
    # the page would send the same example key with every request
    assert "idempotency-key" not in console.find(".curl-command").text.lower()
    log = Path(stack.own["LOCAL_STATE"]) / "logs" / "api.log"
    assert "POST /customers 201" in log.read_text()


@pytest.mark.parametrize(
    ("choice", "listed", "created"), [("read only", "200", "403"), ("none", "401", "401")]
)
def test_scope_of_the_token_can_be_reduced(
    console: Console, choice: str, listed: str, created: str
) -> None:
    console.open()

    Select(console.find("#scope")).select_by_visible_text(choice)
    console.find("#scope[aria-busy=false]")

    assert console.execute("getCustomers")[0] == listed
    assert console.execute("createCustomer")[0] == created


def test_page_follows_the_systems_dark_mode_with_enough_contrast(console: Console) -> None:
    console.open()
    console.expand("createCustomer")
    texts = "h1, h1 span, dt, dd code, dd a, dd small, nav a, header label, footer p, footer a"
    texts += ", .info p, .opblock-summary-path, .opblock-summary-description, .markdown p"
    pictures, grounds = {}, {}

    for scheme in ("light", "dark"):
        console.prefer(scheme)
        contrasts = {
            item.text: console.browser.execute_script(CONTRAST, item)
            for item in console.find_all(texts)
        }
        assert {text: value for text, value in contrasts.items() if value < READABLE} == {}
        grounds[scheme] = console.background()
        console.browser.execute_script("scrollTo(0, 0)")
        pictures[scheme] = console.keep(scheme)

    assert grounds["light"] != grounds["dark"]
    assert pictures["light"] != pictures["dark"]


def test_operation_is_opened_by_keyboard(console: Console) -> None:
    console.open()
    wanted = console.find("[id$='-getCustomers'] .opblock-summary-control")

    for _ in range(30):
        console.browser.switch_to.active_element.send_keys(Keys.TAB)
        if console.browser.switch_to.active_element == wanted:
            break
    console.browser.switch_to.active_element.send_keys(Keys.ENTER)

    assert console.find("[id$='-getCustomers'] .execute")
    assert wanted.get_attribute("aria-expanded") == "true"


def test_localhost_redirects_to_the_console(console: Console) -> None:
    console.browser.get(f"{console.url}/documentation".replace("127.0.0.1", "localhost"))

    console.find(".authorize.locked")
    assert console.browser.current_url == f"{console.url}/documentation"
    assert console.console_messages() == []


def test_page_works_at_the_default_ports(tmp_path: Path, browser: Chrome) -> None:
    if not all(map(is_free, DEFAULT_PORTS.values())) or not is_free(2000, socket.SOCK_DGRAM):
        pytest.skip("the default ports are in use: stop `make run`")
    console = Console(browser, "http://127.0.0.1:8003")

    with Run(
        tmp_path, "run", environment=dict.fromkeys([*DEFAULT_PORTS, "XRAY_PORT"], "")
    ) as stack:
        assert console.url in stack.read_until("Ctrl-C")
        console.open()

        assert console.execute("getCustomers")[0] == "200"
        assert console.console_messages() == []


def test_pages_of_other_sites_get_no_token(console: Console) -> None:
    ask = """
    const [url, mode, done] = arguments;
    fetch(url, {method: "POST", mode}).then(
      (answer) => answer.text().then((text) => done([answer.type, text])),
      (error) => done(["refused", error.name]));
    """
    with another_site() as site:
        console.browser.get(site)
        token = f"{console.url}/token?scope=customers:read"

        for mode in ("cors", "no-cors", "same-origin"):
            answer = console.browser.execute_async_script(ask, token, mode)
            assert answer == ["refused", "TypeError"]
        assert requests.post(token, headers={"Origin": site}, timeout=60).status_code == 403


def test_notice_is_shown_while_the_api_does_not_respond(tmp_path: Path, browser: Chrome) -> None:
    port, console_port = free_port(), free_port()
    console = Console(browser, f"http://127.0.0.1:{console_port}")
    environment = {**os.environ, "PORT": str(port), "LOCAL_STATE": str(tmp_path)}
    environment |= {"CORS_ORIGINS": console.url, "XRAY_PORT": str(free_port())}

    def child(name: str, port: int) -> Child:
        command = [sys.executable, "-m", f"local.{name}", "--port", str(port)]
        program = Child(name, command, tmp_path / f"{name}.log", environment)
        program.wait_until(lambda: answers(port))
        return program

    with child("console", console_port):
        browser.get(f"{console.url}/documentation")
        notice = console.find("#notice")
        assert "does not respond" in notice.text
        assert f"http://127.0.0.1:{port}" in notice.text
        console.keep("waiting")

        with child("gateway", port):
            console.find(".authorize.locked")
            assert not notice.is_displayed()
            block = console.expand("getHealth")

        console.find(f"{block} .execute").click()
        console.until(lambda _: notice.is_displayed())
        with child("gateway", port):
            console.until(lambda _: not notice.is_displayed())


class Blank(BaseHTTPRequestHandler):
    """Serves a page of an unrelated site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def another_site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", free_port()), Blank) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
