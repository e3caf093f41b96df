"""What a report says of a run that is no finding: where it came from and what it cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from post_training_toolkit.ptt_trl.report.fact import Fact, number
from post_training_toolkit.ptt_trl.report.run_record import RunRecord

# Longer values, such as the text of a chat template, say nothing at a glance.
_MOST_TEXT = 300
_SHA_LENGTH = 12
# Parts of the start metadata that are told as they are.
_AS_THEY_ARE = (
    "tokenizer",
    "dataset",
    "git",
    "hardware",
    "environment",
    "packages",
    "seed",
    "python",
    "working_directory",
)


def run_facts(record: RunRecord) -> Iterator[Fact]:
    """Yield what is known of the run before its first step; what is not known is left out."""
    found = {**_origin(record), **{name: _inline(record.start.get(name)) for name in _AS_THEY_ARE}}
    if record.start.get("rules"):
        found["rules"] = _rules(record.start)
    if record.start.get("configuration_sha256"):
        found["configuration"] = f"sha256 {_short(record.start['configuration_sha256'])}"
    found["files"] = ", ".join(record.files)
    for name, text in found.items():
        if text:
            yield Fact(name.replace("_", " "), text)


def _origin(record: RunRecord) -> dict[str, str]:
    """Return where the run came from: who recorded it, its models, its command."""
    start = record.start
    if record.recorded_as is not None:
        return {"recorded": f"{record.source} ({record.recorded_as})"}
    ended = (record.final or {}).get("ended_at")
    found = {"started": f"{start.get('started_at')}{f', ended {ended}' if ended else ''}"}
    for name in ("model", "reference_model"):
        if isinstance(start.get(name), Mapping):
            found[name] = _model(start[name])
    if start.get("command"):
        found["command"] = _cut(shlex.join(map(str, start["command"])))
    return found


def _rules(start: Mapping[str, Any]) -> str:
    hashed = f" (sha256 {_short(start['rules_sha256'])})" if start.get("rules_sha256") else ""
    same = "kept in rules/, so ptt-rules replay on this folder gives the same insights"
    return f"{', '.join(map(str, start['rules']))}{hashed}; {same}"


def resume_facts(record: RunRecord) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each resume of the run, with what it changed."""
    for resume in record.resumes:
        void = resume.get("void_rows")
        text = f"resumed at step {resume['step']}"
        if void:
            text += f"; rows logged after it before no longer count: {void}"
        changes = [
            f"{each['what']}: {_cut(str(each['before']))} -> {_cut(str(each['now']))}"
            for each in resume.get("changes", ())
        ]
        jumps = [
            f"{each['metric']} does not continue where it was: "
            f"{number(each['before'])} -> {number(each['after'])}"
            for each in resume.get("curves", ())
            if each["jumped"]
        ]
        yield text, (*changes, *jumps)


def cost(record: RunRecord) -> str | None:
    """Say what the diagnostics cost, if that was measured."""
    final = record.final or {}
    spent, whole = final.get("diagnostics_seconds"), final.get("run_seconds")
    if spent is None:
        return None
    share = f", {spent / whole:.2%} of the run's {_duration(whole)}" if whole else ""
    return f"{_duration(spent)} inside the callback{share}."


def postmortem_facts(postmortem: Mapping[str, Any]) -> Iterator[Fact]:
    """Yield how the run died, but for the traceback."""
    found = dict(postmortem)
    reason = str(found.get("exit_reason")).replace("_", " ")
    code = found.get("exit_code")
    parts = [found.get("signal"), f"exit code {code}" if code is not None else None]
    yield Fact("reason", ", ".join([reason, *(str(each) for each in parts if each)]))
    if found.get("error"):
        yield Fact("error", str(found["error"]))
    noticed = f"{found.get('timestamp')}, by {found.get('caught_by')}"
    if found.get("seconds_since_last_step") is not None:
        noticed += f", {_duration(found['seconds_since_last_step'])} after the last sign of life"
    yield Fact("noticed", noticed)
    yield Fact("last step", str(found.get("last_step")))
    if found.get("last_good_step") is not None:
        yield Fact("last good step", str(found["last_good_step"]))
    yield Fact("last checkpoint", _checkpoint(found.get("last_checkpoint")))
    memory = _memory(found.get("memory") or {})
    if memory:
        yield Fact("memory", memory)
    first = found.get("first_failing_rank")
    if first:
        yield Fact("first failing rank", f"{first['rank']}, {first['timestamp']}: {first['error']}")
    if found.get("final_metrics"):
        logged = (f"{name} {_inline(value)}" for name, value in found["final_metrics"].items())
        yield Fact("last logged", ", ".join(logged))


def _model(model: Mapping[str, Any]) -> str:
    name = f" ({model['name']})" if model.get("name") else ""
    parts = [f"{model.get('class')}{name}"]
    if model.get("parameters") is not None:
        parts.append(f"{model['parameters']:,} parameters")
    if model.get("trainable_parameters") is not None:
        parts.append(f"{model['trainable_parameters']:,} trainable")
    told = ("class", "name", "parameters", "trainable_parameters")
    rest = _inline({key: value for key, value in model.items() if key not in told})
    return ", ".join([*parts, rest] if rest else parts)


def _checkpoint(checkpoint: Mapping[str, Any] | None) -> str:
    if checkpoint is None:
        return "none"
    state = "complete" if checkpoint["complete"] else f"not usable: {checkpoint['problem']}"
    return f"{checkpoint['path']} ({state})"


def _memory(memory: Mapping[str, Any]) -> str:
    words = {
        "process_gib": "held by the process",
        "process_peak_gib": "at its peak",
        "available_gib": "free on the machine",
        "limit_gib": "the limit",
    }
    known = {name: memory.get(name) for name in words}
    return ", ".join(
        f"{known[name]:.4g} GiB {text}" for name, text in words.items() if known[name] is not None
    )


def _inline(value: Any) -> str:
    """Return plain data as one line of text; nothing is said of what is None or empty."""
    if isinstance(value, Mapping):
        parts = ((str(key).replace("_", " "), _inline(each)) for key, each in value.items())
        return ", ".join(f"{key} {text}" for key, text in parts if text)
    if isinstance(value, list):
        return "; ".join(text for each in value if (text := _inline(each)))
    if value is None or value == "":
        return ""
    if isinstance(value, float):
        return number(value)
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _short(sha: Any) -> str:
    return str(sha)[:_SHA_LENGTH]


def _duration(seconds: float) -> str:
    """Return a duration in the unit that fits.

    >>> _duration(0.25), _duration(90), _duration(8000)
    ('0.25 s', '1.5 min', '2.2 h')
    """
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
