"""Posts insights to a webhook, such as a channel of Slack, without training waiting for it."""

from __future__ import annotations

import queue
import re
import threading
import urllib.error
import urllib.request
from http.client import HTTPResponse

import orjson

from post_training_toolkit.engine.containment import raised_by
from post_training_toolkit.engine.event import Event
from post_training_toolkit.ptt_trl.narration import Alarm, Closing, Narrator
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart

_REQUEST_SECONDS = 10.0
# How long the end of training may wait for what is still to be sent.
_END_SECONDS = 5.0
# Host or [IPv6 address], port, and the rest; no blanks, line breaks or letters beyond ASCII.
_ADDRESS = re.compile(r"https?://([^\s/?#:\[\]]+|\[[\da-f:.]+\])(:\d+)?([/?#][!-~]*)?", re.I | re.A)


class WebhookError(RuntimeError):
    """Messages that were not delivered; the text never holds the address, which is a secret."""


def check_address(url: str) -> None:
    """Raise ``ValueError`` for what is no address of a web server.

    >>> check_address("hooks.slack.com/services/T0/B0/x")
    Traceback (most recent call last):
    ...
    ValueError: webhook must be an address that begins with https:// or http://, without blanks
    """
    if not _ADDRESS.fullmatch(url):
        # The address itself is a secret.
        begin = "begins with https:// or http://"
        raise ValueError(f"webhook must be an address that {begin}, without blanks")


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Hands every answer over: a redirect that is followed would drop the message unnoticed."""

    def http_response(
        self, request: urllib.request.Request, response: HTTPResponse
    ) -> HTTPResponse:
        """Return the answer as it is."""
        return response

    https_response = http_response


_opener = urllib.request.build_opener(_AnyStatus)


class Webhook:
    """Posts ``{"text": ...}``, which Slack and others take, from a thread of its own.

    Raises ``ValueError`` as ``check_address`` does.
    """

    def __init__(self, url: str) -> None:
        check_address(url)
        self._url = url
        self._narrator = Narrator()
        self._run = ""
        # None ends the thread.
        self._messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._deliver, name="ptt-webhook", daemon=True)
        self._sent = 0
        self._failures: list[str] = []

    def begin(self, start: RunStart) -> None:
        """Start the thread."""
        kind = f"{start.trainer.upper()} run" if start.trainer is not None else "run"
        self._run = f"{kind} in {start.directory}"
        self._thread.start()

    def note(self, text: str) -> None:
        """Leave notes to the console."""

    def show(self, event: Event) -> None:
        """Hand a message over for what is worth one."""
        told = self._narrator.tell(event)
        if isinstance(told, Alarm):
            self._messages.put(_alarm_text(told, self._run))

    def end(self, ending: RunEnding) -> None:
        """Send how it ended; raises ``WebhookError`` if messages did not arrive in time."""
        self._messages.put(_closing_text(self._narrator.close(ending), self._run))
        self._messages.put(None)
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive():
            raise WebhookError(f"messages were still to be sent after {_END_SECONDS:.0f} s")
        if self._failures:
            total = self._sent + len(self._failures)
            lost = f"{len(self._failures)} of {total} messages were not delivered"
            raise WebhookError(f"{lost}; the last: {self._failures[-1]}")

    def _deliver(self) -> None:
        while (text := self._messages.get()) is not None:
            # Whatever it is: the thread would print it with the address, and end without a word.
            error = raised_by(self._post, text)
            if error is None:
                self._sent += 1
            else:
                self._failures.append(_without_address(error))

    def _post(self, text: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - checked when it was given
            self._url,
            data=orjson.dumps({"text": text}),
            headers={"Content-Type": "application/json"},
        )
        with _opener.open(request, timeout=_REQUEST_SECONDS) as response:
            if not 200 <= response.status < 300:
                raise WebhookError(f"status {response.status}")


def _without_address(error: BaseException) -> str:
    if isinstance(error, WebhookError):
        return str(error)
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return f"the connection failed ({type(error).__name__})"


def _alarm_text(alarm: Alarm, run: str) -> str:
    lines = [f"*{alarm.headline}*, {run}", alarm.message, f"rule: {alarm.rule}"]
    return "\n".join([*lines, *(f"• {advice}" for advice in alarm.remediation)])


def _closing_text(closing: Closing, run: str) -> str:
    lines = [f"*{closing.status} at step {closing.step}*, {run}", closing.insights]
    lines += [closing.early_end] if closing.early_end is not None else []
    return "\n".join([*lines, closing.where])
