"""Deaths that really happened: each is told by the rule that is for it, and by no other.

Libraries change their words; a version that does shows here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tiny_language_model import build_model, build_tokenizer
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from transformers import AutoConfig
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.generation.vllm_client import VLLMClient

from post_training_toolkit.engine.death import Death
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import InsightFired
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import default_sources

RULES = load_bundle(default_sources()).rules
SECONDS = 120
TWO = torch.zeros(2, 2)


def _told(death: Death) -> list[str]:
    """Return the rules whose insights about a death are no consequence of another."""
    events = Engine(RULES, RunDescription("sft", {}, 10, 1)).die(3, death)
    return [each.rule for each in events if isinstance(each, InsightFired) and not each.caused_by]


def _words_of(dies: Callable[[], object]) -> str:
    """Let something fail and return its traceback."""
    try:
        dies()
    except BaseException:  # noqa: BLE001 - whatever it is, its words are what is looked at
        return traceback.format_exc()
    raise AssertionError("it did not fail")


class _Worker(TorchDataset[int]):
    """Does something to the worker that loads its first example."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        self._act()
        return index


def _load(act: Callable[[], object]) -> None:
    list(DataLoader(_Worker(act), num_workers=1))


def _write_to_full_disk() -> None:
    with Path("/dev/full").open("w") as file:
        file.write("x")


def _classify_labels_beyond() -> None:
    nn.functional.cross_entropy(torch.zeros(2, 5), torch.tensor([1, 7]))


def _differentiate_a_constant() -> None:
    torch.autograd.backward(torch.zeros(2).sum())


def _load_another_vocabulary() -> None:
    nn.Embedding(11, 2).load_state_dict(nn.Embedding(10, 2).state_dict())


def _ask_absent_vllm_server() -> None:
    # Its constructor wants vLLM installed, which the question whether a server is there does not.
    client = VLLMClient.__new__(VLLMClient)
    client.base_url = "http://127.0.0.1:9"
    client.check_server(total_timeout=0.0)


def _train(
    trainer: Any, config: Any, folder: Path, columns: dict[str, Any], **changes: Any
) -> None:
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, seed=0)
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    arguments = config(str(folder), max_steps=1, use_cpu=True, bf16=False, report_to="none")
    data = Dataset.from_dict(columns)
    trainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer).train()


@pytest.mark.parametrize(
    ("rule", "dies"),
    [
        ("index_beyond_vocabulary", lambda: nn.Embedding(10, 2)(torch.tensor([12]))),
        ("index_beyond_vocabulary", _classify_labels_beyond),
        ("no_gradient", _differentiate_a_constant),
        ("dtype_mismatch", lambda: TWO @ TWO.bfloat16()),
        ("dtype_mismatch", lambda: nn.Linear(2, 2)(TWO.bfloat16())),
        ("dtype_mismatch", lambda: torch.bmm(TWO[None], TWO[None].half())),
        ("shape_mismatch", lambda: TWO @ torch.zeros(3, 3)),
        ("shape_mismatch", lambda: TWO + torch.zeros(3, 3)),
        ("shape_mismatch", _load_another_vocabulary),
        ("host_out_of_memory", lambda: torch.empty(1 << 50, dtype=torch.uint8)),
        ("host_out_of_memory", lambda: bytearray(1 << 60)),
        ("host_out_of_memory", lambda: np.zeros(1 << 50)),
        ("host_out_of_memory", lambda: _load(lambda: bytearray(1 << 60))),
        ("data_worker_killed", lambda: _load(lambda: os.kill(os.getpid(), signal.SIGKILL))),
        ("data_worker_killed", lambda: _load(lambda: os._exit(3))),
        ("vllm_server_unreachable", _ask_absent_vllm_server),
        ("hub_unreachable", lambda: AutoConfig.from_pretrained("nobody/nothing-of-this-name")),
    ],
)
def test_what_libraries_say_when_they_fail_is_known(rule: str, dies: Callable[[], object]) -> None:
    assert _told(Death("exception", text=_words_of(dies))) == [rule]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_known() -> None:
    assert _told(Death("exception", text=_words_of(_write_to_full_disk))) == ["disk_full"]


@pytest.mark.skipif(torch.version.cuda is not None, reason="this PyTorch is built with CUDA")
def test_a_build_without_cuda_is_known() -> None:
    words = _words_of(lambda: TWO.cuda())
    assert _told(Death("exception", text=words)) == ["cuda_version_mismatch"]


TALK = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]] * 8


@pytest.mark.parametrize(
    ("rule", "trainer", "config", "columns", "changes"),
    [
        ("no_chat_template", SFTTrainer, SFTConfig, {"messages": TALK}, {"chat_template": None}),
        ("dataset_column_missing", SFTTrainer, SFTConfig, {"body": ["a"] * 8}, {}),
        ("dataset_column_missing", DPOTrainer, DPOConfig, {"prompt": ["a"] * 8}, {}),
    ],
)
def test_what_trl_says_of_data_that_it_cannot_use_is_known(
    tmp_path: Path, rule: str, trainer: Any, config: Any, columns: Any, changes: Any
) -> None:
    words = _words_of(lambda: _train(trainer, config, tmp_path, columns, **changes))
    assert _told(Death("exception", text=words)) == [rule]


def test_a_tokenizer_without_padding_is_known() -> None:
    tokenizer = build_tokenizer()
    tokenizer.pad_token = None
    words = _words_of(lambda: tokenizer(["a", "a a"], padding=True))
    assert _told(Death("exception", text=words)) == ["no_pad_token"]


def _run(program: str, *arguments: str, prefix: Sequence[str] = (), **environment: Any) -> str:
    """Run a program and return what it wrote to its standard error."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", textwrap.dedent(program), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode != 0, done.stderr
    return done.stderr


def _free_port() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return str(server.getsockname()[1])


RANKS = """
    import datetime, os, sys, time
    import torch, torch.distributed as dist
    rank, what = int(sys.argv[1]), sys.argv[2]
    dist.init_process_group("gloo", rank=rank, world_size=2, timeout=datetime.timedelta(seconds=4))
    numbers = torch.zeros(1000)
    dist.all_reduce(numbers)
    if rank == 1:
        if what == "late":
            time.sleep(8)
        os._exit(3)
    time.sleep(0.5)
    for _ in range(3):
        dist.all_reduce(numbers)
"""


@pytest.mark.parametrize(
    ("what", "rule"), [("gone", "peer_rank_lost"), ("late", "collective_timed_out")]
)
def test_a_rank_that_waits_for_another_is_known(what: str, rule: str) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": _free_port()}
    with ThreadPoolExecutor(2) as pool:
        first, _ = pool.map(lambda rank: _run(RANKS, rank, what, **place), ["0", "1"])
    assert _told(Death("exception", text=first)) == [rule]


def test_a_rank_that_finds_no_other_is_known() -> None:
    program = """
        import datetime
        import torch.distributed as dist
        limit = datetime.timedelta(seconds=1)
        dist.init_process_group("gloo", rank=1, world_size=2, timeout=limit)
    """
    words = _run(program, MASTER_ADDR="127.0.0.1", MASTER_PORT=_free_port())
    assert _told(Death("exception", text=words)) == ["collective_timed_out"]


def test_the_limit_of_open_files_is_known() -> None:
    program = """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        files = [open("/dev/null") for _ in range(100)]
    """
    assert _told(Death("exception", text=_run(program))) == ["too_many_open_files"]


def test_a_gated_model_is_known() -> None:
    """A server that answers as the Hub does, asked by the Hub's own client."""
    program = """
        import threading
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Gate(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(403)
                self.send_header("X-Error-Code", "GatedRepo")
                self.send_header("Content-Length", "0")
                self.end_headers()
            do_GET = do_HEAD
            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Gate)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        import os
        os.environ.update(HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
        from transformers import AutoConfig
        AutoConfig.from_pretrained("somebody/gated")
    """
    words = _run(program, HF_HUB_OFFLINE="0")
    assert _told(Death("exception", text=words)) == ["hub_access_denied"]


def _can_mount() -> bool:
    try:
        done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


needs_mount = pytest.mark.skipif(not _can_mount(), reason="needs root, and unshare")


def _run_with_small(folder: str, program: str) -> str:
    """Run a program that alone sees a folder as a disk of a megabyte."""
    mount = f'mount -t tmpfs -o size=1m tmpfs {folder} && exec "$@"'
    return _run(program, prefix=("unshare", "--mount", "sh", "-c", mount, "sh"))


@needs_mount
def test_too_little_shared_memory_is_known() -> None:
    program = """
        import torch
        from torch.utils.data import DataLoader, Dataset

        class Wide(Dataset):
            def __len__(self):
                return 8
            def __getitem__(self, index):
                return torch.zeros(1 << 20)

        list(DataLoader(Wide(), num_workers=2, batch_size=4))
    """
    words = _run_with_small("/dev/shm", program)
    assert _told(Death("exception", text=words)) == ["shared_memory_exhausted"]


@needs_mount
@pytest.mark.parametrize("saves", ["torch.save(weights, path)", "save_file(weights, path)"])
def test_a_checkpoint_that_no_longer_fits_on_the_disk_is_known(tmp_path: Path, saves: str) -> None:
    program = f"""
        import torch
        from safetensors.torch import save_file
        path = {str(tmp_path / "weights")!r}
        weights = {{"weight": torch.zeros(1 << 20)}}
        {saves}
    """
    words = _run_with_small(str(tmp_path), program)
    assert _told(Death("exception", text=words)) == ["disk_full"]
