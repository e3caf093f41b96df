"""TensorBoard: the text of insights, and curves of how many hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch.utils.tensorboard import SummaryWriter
from transformers import Trainer
from transformers.integrations import TensorBoardCallback

from post_training_toolkit.ptt_trl.narration import Alarm
from post_training_toolkit.ptt_trl.trackers.tracker import NoActiveRunError, Tracker, alert_text
from post_training_toolkit.rules.severity import Severity


@dataclass(slots=True)
class TensorBoardEvents:
    """An event file of its own beside the trainer's, which is closed when training ends."""

    writer: SummaryWriter
    last_step: int = 0

    def alert(self, alarm: Alarm, step: int) -> None:
        """Write an insight as text, under the name of its rule."""
        text = f"**{alarm.headline}**\n\n" + alert_text(alarm).replace("\n", "\n\n")
        self.writer.add_text(f"ptt/{alarm.rule}", text, step)

    def count(self, held: Mapping[Severity, int], step: int) -> None:
        """Write how many insights hold."""
        self.last_step = step
        for severity, number in held.items():
            tag = f"ptt/holding_{severity}"
            self.writer.add_scalar(tag, number, step)
        # Insights are rare, and a run that dies has no other chance.
        self.writer.flush()

    def conclude(self, summary: Mapping[str, int | str]) -> None:
        """Write how the run ended, and close the file."""
        rows = "\n".join(f"| {name} | {value} |" for name, value in summary.items())
        table = f"| | |\n|---|---|\n{rows}"
        self.writer.add_text("ptt/summary", table, self.last_step)
        self.writer.close()

    def fail(self) -> None:
        """Leave it at the summary: an event file has no status."""


def open_tracker(trainer: Trainer | None) -> Tracker:
    """Return a file in the folder that the trainer writes to; raises ``NoActiveRunError``."""
    callbacks = trainer.callback_handler.callbacks if trainer is not None else []
    for callback in callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.tb_writer is not None:
            folder = callback.tb_writer.log_dir
            writer = SummaryWriter(folder, filename_suffix=".ptt")
            return TensorBoardEvents(writer)
    raise NoActiveRunError("TensorBoard has no event file open in this process")
