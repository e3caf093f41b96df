"""The pictures of a report are legible, and drawing them changes nothing of the user's."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone
from post_training_toolkit.ptt_trl.report.charts import thin_out
from post_training_toolkit.ptt_trl.report.content import Report, compose
from post_training_toolkit.ptt_trl.report.plots import draw_plots
from post_training_toolkit.ptt_trl.report.reading import read_run
from post_training_toolkit.ptt_trl.report.series import Series
from post_training_toolkit.rules.catalogue import catalogued_trainers, known_metrics
from post_training_toolkit.rules.profile import load_profile
from tests.ptt_trl.recorded_run import diverging, rows, write_run


def report_of(folder: Path, entries: list[MetricsEntry]) -> Report:
    return compose(read_run(write_run(folder, entries, final={})))


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plots of a DPO run that fell apart."""
    folder = tmp_path_factory.mktemp("run")
    draw_plots(report_of(folder, [*diverging(), Milestone("train_end", 60)]), folder / "plots")
    return folder / "plots"


def test_the_files_are_named_after_their_metrics(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {"reward_margin.png", "win_rate.png", "loss.png", "grad_norm.png"} <= names


def test_a_plot_is_1200_pixels_wide_and_shades_its_insight(folder: Path) -> None:
    with Image.open(folder / "loss.png") as picture:
        assert picture.size == (1200, 500)
        pixels = picture.convert("RGB")
    # Left of the divergence the ground is white, within it tinted.
    left, within = pixels.getpixel((300, 300)), pixels.getpixel((1000, 380))
    assert left == (255, 255, 255)
    assert isinstance(within, tuple)
    assert within[0] > within[2] + 10


def test_drawing_leaves_pyplot_and_the_settings_alone(tmp_path: Path) -> None:
    report_of(tmp_path, [*diverging()])
    script = (
        "import sys; from pathlib import Path; import matplotlib\n"
        "from post_training_toolkit.ptt_trl.report.content import compose\n"
        "from post_training_toolkit.ptt_trl.report.plots import draw_plots\n"
        "from post_training_toolkit.ptt_trl.report.reading import read_run\n"
        "def settings():\n"
        # To ask for the back end would choose one.
        "    names = set(matplotlib.rcParams) - {'backend'}\n"
        "    return {name: str(matplotlib.rcParams[name]) for name in names}\n"
        "before = settings()\n"
        "draw_plots(compose(read_run(Path(sys.argv[1]))), Path(sys.argv[1]) / 'plots')\n"
        "assert settings() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


@pytest.mark.parametrize(
    "row",
    [
        lambda step: {"loss": math.nan, "grad_norm": math.inf},
        lambda step: {"loss": 10.0 ** (6 * step - 300), "grad_norm": (-1) ** step * 1.7e308},
        lambda step: {"loss": 0.0, "$x^{\\frac$": step, "名/前": step, "_private": step},
        lambda step: {"loss": [1.0, math.nan][step % 2], "a\x1b[31m": step},
    ],
)
def test_every_run_can_be_drawn(row, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    entries: list[MetricsEntry] = [
        LoggedRow(step, None, admit(row(step))) for step in range(1, 100)
    ]
    report = report_of(tmp_path, entries)
    drawn = draw_plots(report, tmp_path / "plots")
    assert len(drawn) == len(report.charts) == len(set(drawn)) > 1


def test_the_user_s_settings_do_not_break_it(tmp_path: Path) -> None:
    report = report_of(tmp_path, [*diverging()])
    with mpl.rc_context({"figure.autolayout": True, "savefig.bbox": "tight", "savefig.dpi": 30}):
        first, *_ = draw_plots(report, tmp_path / "plots")
    with Image.open(first) as picture:
        assert picture.size == (1200, 500)


@pytest.mark.parametrize("trainer", sorted(catalogued_trainers()))
def test_what_a_profile_draws_is_logged_by_its_trainer(trainer: str) -> None:
    plots = load_profile(trainer).plots
    drawn = [name for group in plots for name in group]
    assert len(drawn) > 3
    # What all trainers have in common is not logged by each of them.
    assert set(drawn) - {"loss", "grad_norm"} <= known_metrics(trainer)


def test_the_evaluation_shares_the_chart_of_its_training_metric(tmp_path: Path) -> None:
    entries = rows({"loss": [1.0 / step for step in range(1, 30)]})
    entries += [LoggedRow(29, None, admit({"eval_loss": 0.5}))]
    [chart] = [each for each in report_of(tmp_path, entries).charts if each.file == "loss"]
    assert [line.name for line in chart.lines] == ["loss", "eval_loss"]


def test_thinning_keeps_spikes_gaps_and_both_ends() -> None:
    values = np.sin(np.arange(100_000) / 5000)
    values[[777, 51_003]] = 40.0, -40.0
    values[[90_000, 99_999]] = math.nan, 7.0
    kept = thin_out(Series("loss", "loss", np.arange(100_000), values), 300).tolist()
    assert {0, 777, 51_003, 90_000, 99_999} <= set(kept)
    assert len(kept) <= 305
