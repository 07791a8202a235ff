"""Debian's Chromium and its driver. Selenium downloads nothing."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from local.engines.mariadb import APT_WAIT
from local.processes import PROJECT

ARTIFACTS = PROJECT / "artifacts"
SITE_IMAGES = PROJECT / "docs" / "images"
PACKAGES = ["chromium", "chromium-driver"]
FLAGS = [
    "--headless=new",
    "--window-size=1280,1400",
    "--disable-dev-shm-usage",  # /dev/shm is small in containers
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


def is_installed() -> bool:
    return all(map(shutil.which, ("chromium", "chromedriver")))


def install() -> None:
    """Install Chromium and its driver. Raises RuntimeError if that fails."""
    command = ["apt-get", *APT_WAIT, "install", "-y", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(f"these tests need Chromium; on Debian: sudo {' '.join(command)}")
    for step in (["apt-get", *APT_WAIT, "update"], command):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(step)}` failed:\n{done.stderr}")


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Run a browser that records its console's messages."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium rejects a sandbox for root
    browser = Chrome(options, ChromeService(shutil.which("chromedriver")))
    browser.set_script_timeout(120)
    try:
        yield browser
    finally:
        browser.quit()


def keep(browser: Chrome, name: str) -> bytes:
    """Save a screenshot in `artifacts/` and return it. `make screenshots` updates docs/images."""
    ARTIFACTS.mkdir(exist_ok=True)
    picture: bytes = browser.get_screenshot_as_png()
    path = ARTIFACTS / f"{name}.png"
    path.write_bytes(picture)
    on_site = SITE_IMAGES / path.name
    if "SCREENSHOTS" in os.environ and on_site.exists():
        on_site.write_bytes(_capture_for_site(browser))
    return picture


def _capture_for_site(browser: Chrome) -> bytes:
    """Return a smaller picture, without the list of this machine's folders and ports."""
    header = "document.querySelector('.addresses')?.style"
    browser.execute_script(f"{header}.setProperty('display', 'none')")
    clip = {"x": 0, "y": 0, "width": 1264, "height": 840, "scale": 0.8}
    captured = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip})
    browser.execute_script(f"{header}.removeProperty('display')")
    return base64.b64decode(captured["data"])
