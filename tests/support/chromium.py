"""A headless Chromium that tests steer: it opens pages, presses keys, runs scripts, takes screenshots.

It speaks the DevTools protocol over two pipes, so nothing but the browser has to be installed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIME = 30.0

_KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Space": (" ", 32, " "),
}


def browser_path() -> str | None:
    """The path of a browser, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of the browser.

    Attributes:
        complaints: what was written to its console, and exceptions that nobody caught.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._number, self._buffer = 0, b""
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> Any:
        """A command, and its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        limit = time.monotonic() + TIME
        while True:
            answer = self._next(limit)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self, limit: float) -> Any:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, limit - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(str(message["params"]["entry"]["text"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(message["params"]["args"]))
        return message

    def open(self, url: str) -> None:
        """Go to a page."""
        self.send("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str) -> Any:
        """Wait until an expression is true; its value."""
        limit = time.monotonic() + TIME
        while True:
            value = self.evaluate(f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()")
            if value:
                return value
            assert time.monotonic() < limit, f"{script}\n{self.evaluate('document.body.innerText')}\n{self.complaints}"
            time.sleep(0.05)

    def press(self, key: str, *, control: bool = False, shift: bool = False) -> None:
        """Press a key and let it go."""
        name, code, text = _KEYS[key]
        modifiers = 2 * control + 8 * shift
        common = {"key": name, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", text="" if control else text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def dark(self, wanted: bool) -> None:
        """Choose between dark and light mode."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def size(self, width: int, height: int) -> None:
        """Change the size of the window."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path) -> None:
        """Write a picture of the window."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(browser: str, profile: Path) -> Iterator[Page]:
    """A browser with one page."""
    there, to_browser = os.pipe()
    from_browser, back = os.pipe()
    # Without a sandbox, because containers and CI run as root; the pages are our own.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
    options += ["--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"]
    command = ["bash", "-c", f'exec "$@" 3<&{there} 4>&{back}', "bash", browser, *options]
    process = subprocess.Popen(command, pass_fds=(there, back), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(there)
    os.close(back)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)
        process.terminate()
        try:
            process.wait(TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser)
