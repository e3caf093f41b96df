"""A webhook gets what people should hear of, and training never waits for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.engine.event import Episode
from post_training_toolkit.ptt_trl import webhook as webhook_module
from post_training_toolkit.ptt_trl.sink import RunEnding, RunStart
from post_training_toolkit.ptt_trl.webhook import Webhook, WebhookError
from tests.ptt_trl.loss_spike_events import CLOSED, ESCALATED, FIRED

BEGUN = RunStart("dpo", Path("run/ptt"))
ENDED = RunEnding("completed", 40, (Episode(FIRED, ESCALATED, CLOSED),), None, Path("report.md"))
SECRET = "T0/B0/very-secret"


class Channel(ThreadingHTTPServer):
    """A server that keeps what is posted, and answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.posts: list[dict[str, Any]] = []
        self.status = 200
        self.location: str | None = None
        self.speaks_http = True
        self.answering = threading.Event()
        self.answering.set()

    @property
    def url(self) -> str:
        """An address with a secret in it."""
        return f"http://127.0.0.1:{self.server_port}/services/{SECRET}"


class Answer(BaseHTTPRequestHandler):
    """Answers once the channel lets it; whoever follows a redirect gets a page."""

    server: Channel

    def do_POST(self) -> None:
        """Keep the body and answer with the channel's status."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answering.wait(30)
        assert self.headers["Content-Type"] == "application/json"
        self.server.posts.append(json.loads(body))
        if not self.server.speaks_http:
            self.wfile.write(b"SSH-2.0-hello\r\n")
            return
        self.send_response(self.server.status)
        if self.server.location is not None:
            self.send_header("Location", self.server.location)
        self.end_headers()

    def do_GET(self) -> None:
        """Show a page, such as one to log in."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(name="channel")
def _channel() -> Iterator[Channel]:
    channel = Channel()
    thread = threading.Thread(target=channel.serve_forever)
    thread.start()
    yield channel
    channel.answering.set()
    channel.shutdown()
    thread.join()
    channel.server_close()


def test_a_real_run_posts_the_insight_and_its_end(
    run_dpo: Any, tmp_path: Path, channel: Channel
) -> None:
    callback = DiagnosticsCallback(stop_on="high", webhook=channel.url)
    run_dpo(tmp_path, callback, learning_rate=2e-8, max_steps=40)
    insight, end = [post["text"] for post in channel.posts]
    assert insight.startswith("*HIGH at step ")
    assert f"DPO run in {tmp_path / 'ptt'}" in insight
    assert "DPO loss is stuck where it started" in insight
    assert "rule: dpo_loss_random" in insight
    assert "• Raise learning_rate" in insight
    assert end.startswith("*stopped at step ")
    assert "1 insight: 1 high" in end
    assert "run_report.md" in end
    written = (tmp_path / "ptt" / "run_metadata_start.json").read_text()
    assert SECRET not in written
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["failures"] == []


def test_a_slow_server_holds_nothing_up(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "_END_SECONDS", 0.2)
    channel.answering.clear()
    sink = Webhook(channel.url)
    began = time.perf_counter()
    sink.begin(BEGUN)
    for event in (FIRED, ESCALATED, CLOSED):
        sink.show(event)
    assert time.perf_counter() - began < 2
    with pytest.raises(WebhookError, match="still to be sent"):
        sink.end(ENDED)
    assert time.perf_counter() - began < 5


def undelivered(channel: Channel) -> str:
    """Send an insight and the end of a run, and return what the webhook says went wrong."""
    sink = Webhook(channel.url)
    sink.begin(BEGUN)
    sink.show(FIRED)
    with pytest.raises(WebhookError) as raised:
        sink.end(ENDED)
    return str(raised.value)


def test_a_refusal_is_told_without_the_address(channel: Channel) -> None:
    channel.status = 500
    told = undelivered(channel)
    assert told == "2 of 2 messages were not delivered; the last: status 500"


def test_a_redirect_is_no_delivery(channel: Channel) -> None:
    channel.status = 302
    channel.location = "/login"
    told = undelivered(channel)
    assert told == "2 of 2 messages were not delivered; the last: status 302"


def test_a_server_that_speaks_no_http_is_told(channel: Channel) -> None:
    channel.speaks_http = False
    told = undelivered(channel)
    assert (
        told
        == "2 of 2 messages were not delivered; the last: the connection failed (BadStatusLine)"
    )


def test_a_server_that_is_not_there_is_told_in_the_report(run_dpo: Any, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as gone:
        port = gone.server_port
    callback = DiagnosticsCallback(webhook=f"http://127.0.0.1:{port}/{SECRET}")
    run_dpo(tmp_path, callback, max_steps=2)
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    [failure] = final["failures"]
    assert failure["part"] == "webhook"
    assert "Connection refused" in failure["error"]
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "ptt").rglob("*") if path.is_file()
    )
    assert SECRET.encode() not in everything


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks.slack.com/x",
        "ftp://host/x",
        "file:///etc/x",
        "http://:80/x",
        "http://host:port/x",
        f"https://host/{SECRET} ",
        # As read from a file.
        f"https://host/{SECRET}\n",
    ],
)
def test_what_is_no_address_is_refused_before_training(address: str) -> None:
    with pytest.raises(ValueError, match="begins with https:// or http://") as raised:
        DiagnosticsCallback(webhook=address)
    assert SECRET not in str(raised.value)
