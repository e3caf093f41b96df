"""Facts about preference pairs that say what a model will learn from them besides the task."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.training_data.chat_rows import text_length
from post_training_toolkit.agents.training_data.preparation import PreparationReport
from post_training_toolkit.agents.training_data.recipe import Tally

_LENGTH_RATIO = 1.5
_TOP_SHARE = 0.2
_FEW_PROMPTS = 10
_TOOL_SHARE = 0.1


@dataclass(slots=True)
class PairFigures(Tally):
    """Counts pairs by prompt, how long their sides are, and how much of them tools said."""

    _of_prompts: Counter[str] = field(default_factory=Counter)
    _length_ratios: list[float] = field(default_factory=list)
    _tool_text: int = 0
    _other_text: int = 0

    def add(self, row: JsonObject) -> None:
        """Take a pair in."""
        self._of_prompts[row["prompt_key"]] += 1
        chosen, rejected = text_length(row["chosen"]), text_length(row["rejected"])
        if rejected:
            self._length_ratios.append(chosen / rejected)
        for side in (row["chosen"], row["rejected"]):
            self._tool_text += text_length(side, of_tools=True)
        self._other_text += chosen + rejected

    def tell(self, report: PreparationReport) -> None:
        """Write figures and warnings into the report."""
        super(PairFigures, self).tell(report)
        if self._length_ratios:
            self._tell_lengths(statistics.median(self._length_ratios), report)
        text = self._tool_text + self._other_text
        if text:
            self._tell_tool_results(self._tool_text / text, report)
        if self._of_prompts:
            top = max(self._of_prompts.values()) / self.rows
            report.figures["share of the pairs that one prompt has at most"] = top
            if top > _TOP_SHARE and len(self._of_prompts) < _FEW_PROMPTS:
                report.warnings.append(
                    f"{len(self._of_prompts)} prompts are few: one has {top:.0%} of all pairs"
                )

    def _tell_lengths(self, ratio: float, report: PreparationReport) -> None:
        report.figures["median length of chosen over rejected, in characters"] = ratio
        if not 1 / _LENGTH_RATIO < ratio < _LENGTH_RATIO:
            longer = "longer" if ratio > 1 else "shorter"
            report.warnings.append(
                f"chosen answers are {longer} (ratio {ratio:.2f}), and DPO will learn that too: "
                "loss_type='sigmoid_norm' or ld_alpha of DPOConfig take length out"
            )

    def _tell_tool_results(self, share: float, report: PreparationReport) -> None:
        report.figures["share of tool results in the completions, in characters"] = share
        if share > _TOOL_SHARE:
            report.warnings.append(
                f"{share:.0%} of what DPOTrainer would train on are answers of tools, which the "
                "agent did not write: mask_tool_results keeps them out, or mode='step' has none"
            )
