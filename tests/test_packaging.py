"""What is on disk, what is packaged and what is imported agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NAME = "post_training_toolkit"
HEAVY = ("torch", "transformers", "trl", "pandas", "scipy", "matplotlib")


def _setuptools_table() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "setuptools"
    ]
    return table


def test_every_package_on_disk_is_listed() -> None:
    """A folder with an __init__.py that is not listed is silently left out of the wheel."""
    table = _setuptools_table()
    on_disk = {NAME}
    for name, folder in table["package-dir"].items():
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / folder).parts
            on_disk.add(".".join((name, *parts)))
    assert sorted(table["packages"]) == sorted(on_disk)


@pytest.mark.skipif(os.name == "nt", reason="checkouts on Windows have no links by default")
def test_links_lead_to_the_folders() -> None:
    """Type checkers and doctests reach the folders through these links."""
    for name, folder in _setuptools_table()["package-dir"].items():
        assert (ROOT / NAME / name.rpartition(".")[2]).resolve() == ROOT / folder


def test_imports_point_one_way_only() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    # Following no link it would look at one file and find nothing wrong.
    analysed = re.search(r"Analyzed (\d+) files", done.stdout)
    assert analysed is not None
    assert int(analysed[1]) > 50


@pytest.mark.parametrize(
    "statement",
    [
        "import post_training_toolkit",
        "from post_training_toolkit.engine.cli.main import main; main(['validate'])",
        "from post_training_toolkit.engine.cli.main import main; main(['--help'])",
        "from post_training_toolkit.agents.cli.main import main; main(['--help'])",
        "from post_training_toolkit.agents import AgentRunLog; AgentRunLog([])",
    ],
)
def test_the_light_side_loads_nothing_heavy(statement: str) -> None:
    code = (
        "import sys\n"
        f"try:\n    {statement}\nexcept SystemExit as done:\n    assert not done.code, done.code\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.fixture(scope="module", name="wheel")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tracked files, as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "outputs", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(copy)], check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"{NAME}/__init__.py", f"{NAME}/py.typed"}
    for name, folder in _setuptools_table()["package-dir"].items():
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".yaml", ".json", ".jinja", ".css", ".js"}:
                expected.add(f"{NAME}/{name.rpartition('.')[2]}/{path.relative_to(ROOT / folder)}")
    assert shipped == expected


def test_a_plain_install_gives_a_light_core_that_works(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    python = str(binaries / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*install, "--constraint", str(ROOT / "constraints.txt"), str(wheel)], check=True
    )
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout.lower()
    for package in ("torch", "transformers", "trl", "pandas", "matplotlib"):
        assert f"\n{package}==" not in f"\n{listed}"

    validate = subprocess.run(
        [str(binaries / "ptt-rules"), "validate", "--strict"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (validate.returncode, validate.stdout) == (0, "")
    # The folders must not land in site-packages under their own names.
    names = ("agents", "engine", "ptt_trl", "rules", "schemas")
    leaked = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    found = subprocess.run([python, "-c", leaked], capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.strip() == "[]"
    callback = "from post_training_toolkit import DiagnosticsCallback"
    missing = subprocess.run([python, "-c", callback], capture_output=True, text=True, cwd=tmp_path)
    assert missing.returncode == 1
    assert 'run: pip install "post-training-toolkit[trl]"' in missing.stderr
    agents = "from post_training_toolkit.agents import AgentRunLog"
    missing = subprocess.run([python, "-c", agents], capture_output=True, text=True, cwd=tmp_path)
    assert 'run: pip install "post-training-toolkit[agents]"' in missing.stderr
    command = [str(binaries / "ptt-agents"), "validate", str(ROOT / "README.md")]
    refused = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert refused.returncode == 2
    told = 'is not installed; run: pip install "post-training-toolkit[agents]"\n'
    assert refused.stderr.endswith(told)
