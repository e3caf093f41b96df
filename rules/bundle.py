"""Loads rule files into one checked bundle, reporting every mistake of every file at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path as FilePath

from post_training_toolkit.rules.build import RuleBuilder
from post_training_toolkit.rules.document import Document, Path, read_document
from post_training_toolkit.rules.model import Override, Rule, RuleBundle, Source
from post_training_toolkit.rules.overrides import OverrideError, apply_override
from post_training_toolkit.rules.problem import InvalidRulesError, Problem
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.rules.sources import (
    DEFAULT_PACK,
    PACK_PREFIX,
    default_sources,
    pack_names,
    read_file,
    read_pack,
)
from post_training_toolkit.rules.suggestion import did_you_mean
from post_training_toolkit.schemas import load_schema


def load_bundle(sources: Iterable[Source], *, follow_extends: bool = True) -> RuleBundle:
    """Load sources, and the sources they extend, into one bundle.

    Raises ``InvalidRulesError`` with every mistake found. ``follow_extends=False`` is for sources
    that were already collected, as a run directory keeps them.

    >>> from post_training_toolkit.rules.sources import default_sources
    >>> bundle = load_bundle(default_sources())
    >>> "dpo_loss_random" in {rule.id for rule in bundle.rules}
    True
    """
    loading = _Loading(follow_extends)
    for source in sources:
        loading.add(source)
    return loading.finish()


class _Loading:
    """Collects documents in order, each once; what a file extends comes before the file.

    ``_rules`` and ``_overrides`` hold each entry with the problem-to-be that locates it.
    """

    def __init__(self, follow_extends: bool) -> None:
        self._follow_extends = follow_extends
        self._seen: set[str] = set()
        self._sources: list[Source] = []
        self._documents: list[Document] = []
        self._rules: dict[str, tuple[Rule, Problem]] = {}
        self._overrides: list[tuple[Override, Document, Path]] = []

    def add(self, source: Source) -> None:
        identity = _identity(source)
        if identity in self._seen:
            return
        self._seen.add(identity)
        document = read_document(source.name, source.text)
        self._documents.append(document)
        if document.data is not None:
            broken = _check(document)
            if isinstance(document.data, dict):
                if self._follow_extends and ("extends",) not in broken:
                    self._extend(document, source)
                self._build(document, broken)
        self._sources.append(source)

    def finish(self) -> RuleBundle:
        rules = {identifier: rule for identifier, (rule, _) in self._rules.items()}
        for override, document, path in self._overrides:
            self._apply(rules, override, document, path)
        problems = [problem for document in self._documents for problem in document.problems]
        if problems:
            raise InvalidRulesError(problems)
        return RuleBundle(tuple(rules.values()), tuple(self._sources))

    def _extend(self, document: Document, source: Source) -> None:
        for index, entry in enumerate(document.data.get("extends", [])):
            try:
                extended = _resolve(entry, source)
            except LookupError as error:
                document.problems.append(document.problem(("extends", index), error.args[0]))
            else:
                for each in extended:
                    self.add(each)

    def _build(self, document: Document, broken: set[Path]) -> None:
        builder = RuleBuilder(document, broken)
        for path, rule in builder.rules():
            here = document.problem((*path, "id"), "")
            first = self._rules.setdefault(rule.id, (rule, here))[1]
            if first is not here:
                message = (
                    f"this id is taken at {first.file}:{first.line}; "
                    "ids are unique, and 'overrides' changes an existing rule"
                )
                document.problems.append(replace(here, message=message))
        for path, override in builder.overrides():
            self._overrides.append((override, document, (*path, "id")))

    def _apply(
        self, rules: dict[str, Rule], override: Override, document: Document, path: Path
    ) -> None:
        if override.id not in rules:
            message = f"no rule {override.id!r} to override{did_you_mean(override.id, rules)}"
            if DEFAULT_PACK not in document.data.get("extends", []):
                message += " (shipped rules are known after extends: [pack:default])"
            document.problems.append(document.problem(path, message))
            return
        try:
            changed = apply_override(rules[override.id], override)
        except OverrideError as error:
            document.problems.append(document.problem(path, str(error)))
            return
        if changed is None:
            del rules[override.id]
        else:
            rules[override.id] = changed


def _identity(source: Source) -> str:
    return source.name if source.folder is None else str(FilePath(source.name).resolve())


def _check(document: Document) -> set[Path]:
    """Check the schema; return the paths of the entries that failed it."""
    problems = check_schema(document, load_schema("rules"))
    document.problems.extend(problem for _, problem in problems)
    return {path[:1] if path[:1] == ("extends",) else path[:2] for path, _ in problems}


def _resolve(entry: str, source: Source) -> Sequence[Source]:
    """Read what one entry of extends names; raises ``LookupError`` with a sentence."""
    if entry == DEFAULT_PACK:
        return default_sources()
    if entry.startswith(PACK_PREFIX):
        name = entry.removeprefix(PACK_PREFIX)
        if name not in pack_names():
            raise LookupError(f"no pack {name!r}{did_you_mean(name, ['default', *pack_names()])}")
        return (read_pack(name),)
    if source.folder is None:
        raise LookupError(f"a pack cannot extend the file {entry!r}")
    path = FilePath(source.folder) / entry
    try:
        return (read_file(path),)
    except OSError as error:
        raise LookupError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        # Python refuses a path with a null byte before the system sees it.
        raise LookupError(f"cannot read {entry!r}: {error}") from None
