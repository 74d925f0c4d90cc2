"""A real headless Chromium for tests, asked over a pipe with its DevTools protocol."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS = 60  # for an answer of the browser's, on a machine that is busy

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on the path; CI installs one")


class Browser:
    """A browser that runs until the end of a ``with`` block.

    Args:
        profile: A folder for its files.
        is_offline: Let no name of a host lead anywhere.
    """

    def __init__(self, profile: Path, *, is_offline: bool = False) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        # the browser reads descriptor 3 and writes 4
        command = f'exec "$@" 3<&{requests} 4>&{answers}'
        flags = [*FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        flags += ["--host-resolver-rules=MAP * ~NOTFOUND"] if is_offline else []
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", str(PROGRAM), *flags],
            pass_fds=(requests, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(requests)
        os.close(answers)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()
        os.close(self._requests)
        os.close(self._answers)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while (answer := self._read_message()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open_page(self, url: str, *, width: int = 1000, is_dark: bool = False) -> "Page":
        """Open a page in a window of a width, and return it when it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", session)
        sizes = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", session, **sizes)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", session, features=[scheme])
        self.call("Page.navigate", session, url=url)
        page = Page(self, session)
        page.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page

    def _read_message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], SECONDS)
            assert ready, "the browser does not answer"
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


class Page:
    """A page in a tab of its own."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression of JavaScript; a promise is waited for."""
        options = {"expression": script, "returnByValue": True, "awaitPromise": True}
        result = self._browser.call("Runtime.evaluate", self._session, **options)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + SECONDS
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, f"waited in vain for {condition}"
            time.sleep(0.02)

    def send_key(self, key: str) -> None:
        """Press and release a key on what has the focus."""
        options = {"key": key, "code": key, "windowsVirtualKeyCode": 13 if key == "Enter" else 0, "text": "\r"}
        for kind in ("keyDown", "keyUp"):
            self._browser.call("Input.dispatchKeyEvent", self._session, type=kind, **options)

    def set_media(self, media: str) -> None:
        """Show the page as it is on a screen or in print."""
        self._browser.call("Emulation.setEmulatedMedia", self._session, media=media)

    def save_screenshot(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        shot = self._browser.call("Page.captureScreenshot", self._session, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def list_problems(self) -> list[str]:
        """Return what the page has written to its console as an error or a warning, exceptions included."""
        self.evaluate("1")  # events that are under way come before its answer
        problems = []
        for event in self._browser.events:
            params = event.get("params", {})
            if event.get("sessionId") != self._session:
                continue
            level = params.get("entry", {}).get("level") or params.get("type")
            is_message = event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled")
            if event["method"] == "Runtime.exceptionThrown" or (is_message and level in ("error", "warning")):
                problems.append(json.dumps(params))
        return problems

    def list_requested_addresses(self) -> list[str]:
        """Return every address that the page has asked for."""
        self.evaluate("1")
        events = [event for event in self._browser.events if event.get("sessionId") == self._session]
        requests = [
            event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]
        return [request["url"] for request in requests]
