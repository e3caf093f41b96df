"""Opens pages in a real browser, as people do on screens of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def visit(
    browser: Any, page: Path, width: int = 1000, *, dark: bool = False, script: bool = True
) -> None:
    for command, settings in {
        "Emulation.setDeviceMetricsOverride": {
            "width": width,
            "height": 800,
            "deviceScaleFactor": 1,
            "mobile": width < 500,
        },
        "Emulation.setEmulatedMedia": {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        },
        "Emulation.setScriptExecutionDisabled": {"value": not script},
    }.items():
        browser.execute_cdp_cmd(command, settings)
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())
    # The charts are drawn when the width of the page is known.
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert browser.get_log("browser") == []
