"""Runs that die, or seem to, in ways that scripts of users bring about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from post_training_toolkit.ptt_trl.postmortem.heartbeat import is_alive

# Each loads the trainer stack anew. `make test-slow` runs them.
slow = pytest.mark.skipif("PTT_SLOW" not in os.environ, reason="only with PTT_SLOW")

_HERE = Path(__file__).parent
_PATHS = os.pathsep.join(map(str, (_HERE, _HERE.parents[1] / "demo" / "scripts")))
_BEGIN = """
import os, signal, sys, time
from pathlib import Path
from tiny_language_model import build_model, build_tokenizer, preference_dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer
from post_training_toolkit import DiagnosticsCallback
from post_training_toolkit.ptt_trl import session
OUT = Path(sys.argv[1])
tokenizer = build_tokenizer()
class At(TrainerCallback):
    def __init__(self, act):
        self.act = act
    def on_step_begin(self, args, state, control, **kwargs):
        self.act(state.global_step)
def make(out, *callbacks, **options):
    return DPOTrainer(
        model=build_model(tokenizer, seed=0),
        ref_model=build_model(tokenizer, seed=0),
        args=DPOConfig(output_dir=str(out), per_device_train_batch_size=4, learning_rate=2e-8,
            max_steps=10, logging_steps=1, save_steps=4, report_to="none", use_cpu=True,
            bf16=False, disable_tqdm=True, **options),
        train_dataset=preference_dataset(64, seed=1),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
def interrupted_once(write):
    told = []
    def write_reports(*arguments, **named):
        if not told:
            told.append(1)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return write(*arguments, **named)
    return write_reports
"""


def run_script(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(_BEGIN + textwrap.dedent(code))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([_PATHS, os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )


def postmortem_of(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "postmortem.json").read_text())
    return found


@slow
def test_a_training_outlives_the_end_of_another_one_in_the_same_process(tmp_path: Path) -> None:
    """The watcher of a run that seems to hang must not kill it with its signal for stacks."""
    done = run_script(
        tmp_path,
        """
        import threading
        def slow(step):
            if step == 3:
                time.sleep(6)
        a = make(OUT / "a", DiagnosticsCallback(hang_after=2.0), At(slow))
        b = make(OUT / "b", DiagnosticsCallback(hang_after=60.0))
        other = threading.Thread(target=b.train)
        other.start()
        a.train()
        other.join()
        """,
    )
    assert done.returncode == 0, f"ended by signal {-done.returncode}"


@slow
def test_ctrl_c_while_a_report_is_written_leaves_no_watcher_that_kills_later(
    tmp_path: Path,
) -> None:
    done = run_script(
        tmp_path,
        """
        session.write_reports = interrupted_once(session.write_reports)
        try:
            make(OUT / "one", DiagnosticsCallback(hang_after=8)).train()
        except KeyboardInterrupt:
            pass
        make(OUT / "two", DiagnosticsCallback(hang_after=8)).train()
        time.sleep(10)
        """,
    )
    assert done.returncode == 0, f"ended by signal {-done.returncode}"
    assert not (tmp_path / "one" / "ptt" / "postmortem.json").exists()


@slow
def test_ctrl_c_while_a_crash_report_is_written_keeps_the_traceback(tmp_path: Path) -> None:
    run_script(
        tmp_path,
        """
        session.write_reports = interrupted_once(session.write_reports)
        def fail(step):
            if step == 6:
                raise RuntimeError("the cause of death")
        make(OUT, DiagnosticsCallback(), At(fail)).train()
        """,
    )
    postmortem = postmortem_of(tmp_path / "ptt")
    assert postmortem["exit_reason"] == "exception"
    assert "the cause of death" in (postmortem["traceback"] or "")


@slow
def test_what_was_done_between_a_sigterm_and_a_sigkill_counts(tmp_path: Path) -> None:
    """As batch systems end runs that go on for a while."""
    run_script(
        tmp_path,
        """
        signal.signal(signal.SIGTERM, lambda *_: None)
        def act(step):
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            if step == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.3)
        make(OUT, DiagnosticsCallback(), At(act)).train()
        """,
    )
    postmortem = postmortem_of(tmp_path / "ptt")
    assert postmortem["last_step"] == 9
    assert postmortem["last_checkpoint"]["step"] == 8
    assert (postmortem["exit_reason"], postmortem["signal"]) == ("terminated", "SIGKILL")


@slow
def test_an_exception_after_a_sigterm_that_was_survived_is_an_exception(tmp_path: Path) -> None:
    run_script(
        tmp_path,
        """
        signal.signal(signal.SIGTERM, lambda *_: None)
        def act(step):
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            if step == 5:
                raise ValueError("the data is broken")
        make(OUT, DiagnosticsCallback(), At(act)).train()
        """,
    )
    postmortem = postmortem_of(tmp_path / "ptt")
    assert (postmortem["exit_reason"], postmortem["last_step"]) == ("exception", 5)
    assert postmortem["error"] == "ValueError: the data is broken"


@slow
def test_a_run_that_completed_has_no_postmortem_whoever_took_its_sigterm(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        def act(step):
            if step == 0:
                signal.signal(signal.SIGTERM, lambda *_: None)
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
        make(OUT, DiagnosticsCallback(), At(act)).train()
        """,
    )
    assert done.returncode == 0
    assert not (tmp_path / "ptt" / "postmortem.json").exists()


def test_a_forked_child_that_exits_writes_nothing_of_the_run(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        def act(step):
            if step == 6:
                child = os.fork()
                if not child:
                    sys.exit(0)
                os.waitpid(child, 0)
        make(OUT, DiagnosticsCallback(), At(act)).train()
        """,
    )
    assert done.returncode == 0
    assert not (tmp_path / "ptt" / "postmortem.json").exists()
    final = json.loads((tmp_path / "ptt" / "run_metadata_final.json").read_text())
    assert final["status"] == "completed"


@slow
def test_a_change_of_the_working_folder_does_not_tear_a_run_apart(tmp_path: Path) -> None:
    run_script(
        tmp_path,
        """
        os.chdir(OUT)
        os.mkdir("elsewhere")
        def act(step):
            if step == 5:
                os.chdir("elsewhere")
        make("relative", DiagnosticsCallback(), At(act)).train()
        """,
    )
    assert (tmp_path / "relative" / "ptt" / "run_metadata_final.json").exists()
    assert not (tmp_path / "elsewhere" / "relative" / "ptt").exists()


@slow
def test_a_watcher_without_pidfd_sees_a_kill(tmp_path: Path) -> None:
    """As on macOS and older kernels; five times, since it is a race."""
    done = run_script(
        tmp_path,
        """
        from post_training_toolkit.ptt_trl.postmortem import watcher
        watcher._START = "import os; del os.pidfd_open; " + watcher._START
        def act(step):
            if step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        for number in range(5):
            if not os.fork():
                make(OUT / str(number), DiagnosticsCallback(), At(act)).train()
            os.wait()
        time.sleep(3)
        """,
    )
    assert done.returncode == 0
    told = sorted(path.parent.parent.name for path in tmp_path.glob("*/ptt/postmortem.json"))
    assert told == ["0", "1", "2", "3", "4"]


@slow
@pytest.mark.parametrize("header", ["[]", '{"a": 1}'])
def test_a_checkpoint_with_an_odd_header_costs_no_postmortem(tmp_path: Path, header: str) -> None:
    run_script(
        tmp_path,
        f"""
        import struct
        def act(step):
            if step == 3:
                folder = OUT / "checkpoint-3"
                folder.mkdir()
                header = {header!r}.encode()
                content = struct.pack("<Q", len(header)) + header
                (folder / "model.safetensors").write_bytes(content)
                os.kill(os.getpid(), signal.SIGKILL)
        make(OUT, DiagnosticsCallback(), At(act)).train()
        """,
    )
    assert postmortem_of(tmp_path / "ptt")["last_checkpoint"]["complete"] is False


@pytest.mark.parametrize("text", ["{}", "[]", '{"version": 2, "exit_reason": "new"}'])
def test_the_command_survives_a_foreign_postmortem(
    stage: Any, tmp_path: Path, ptt: Any, text: str
) -> None:
    run = stage.run("exception", tmp_path / "run")
    (run.run_dir / "postmortem.json").write_text(text)
    told = ptt("postmortem", run.run_dir)
    assert isinstance(told.exception, SystemExit | None)


def test_the_command_knows_how_a_run_died_from_its_metrics(
    stage: Any, tmp_path: Path, ptt: Any
) -> None:
    run = stage.run("SIGKILL", tmp_path / "run")
    run.await_report()
    until = time.monotonic() + 20
    while is_alive(run.run_dir) and time.monotonic() < until:
        time.sleep(0.1)
    (run.run_dir / "postmortem.json").unlink()
    assert ptt("postmortem", run.run_dir).exit_code == 0
    assert run.json("postmortem.json")["exit_reason"] == "killed"


def test_what_is_sent_of_a_death_is_masked(tmp_path: Path) -> None:
    run_script(
        tmp_path,
        """
        import http.server, threading
        class Taker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got = self.rfile.read(int(self.headers["content-length"]))
                (OUT / "sent").open("ab").write(got)
                self.send_response(200)
                self.end_headers()
        server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        def fail(step):
            if step == 6:
                raise RuntimeError("401 for hub_token=hf_0123456789abcdef0123")
        hook = f"http://127.0.0.1:{server.server_port}/"
        try:
            make(OUT, DiagnosticsCallback(webhook=hook), At(fail)).train()
        except RuntimeError:
            pass
        time.sleep(0.5)
        """,
    )
    sent = (tmp_path / "sent").read_text()
    assert "crashed at step" in sent
    assert "hf_0123456789abcdef0123" not in sent


@slow
def test_a_folder_that_is_gone_makes_the_watcher_say_so_in_one_line(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import shutil
        def act(step):
            if step == 3:
                shutil.rmtree(OUT / "ptt")
                os.kill(os.getpid(), signal.SIGKILL)
        make(OUT, DiagnosticsCallback(), At(act)).train()
        """,
    )
    assert done.returncode == -signal.SIGKILL
    assert "Traceback" not in done.stderr
