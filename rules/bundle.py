"""Loads rule files into one checked bundle, reporting every mistake of every file at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from post_training_toolkit.rules.assemble import Assembly
from post_training_toolkit.rules.build import RuleBuilder
from post_training_toolkit.rules.document import Document, Path, read_document
from post_training_toolkit.rules.model import RuleBundle, Source
from post_training_toolkit.rules.problem import InvalidRulesError
from post_training_toolkit.rules.schema_check import check_schema
from post_training_toolkit.rules.sources import (
    DEFAULT_PACK,
    PACK_PREFIX,
    default_sources,
    identity,
    pack_names,
    read_file,
    read_pack,
    resolve_extended_path,
)
from post_training_toolkit.rules.suggestion import did_you_mean
from post_training_toolkit.schemas import load_schema

_SELECTIONS = ("select", "ignore")

# Projects need two or three; a longer chain would end in a stack overflow.
_MAX_DEPTH = 20


def load_bundle(sources: Iterable[Source], *, follow_extends: bool = True) -> RuleBundle:
    """Load sources, and the sources they extend, into one bundle.

    Raises ``InvalidRulesError`` with every mistake found. ``follow_extends=False`` is for sources
    that were already collected, as a run directory keeps them.

    >>> from post_training_toolkit.rules.sources import default_sources
    >>> bundle = load_bundle(default_sources())
    >>> "dpo_loss_random" in {rule.id for rule in bundle.rules}
    True
    """
    given = list(sources)
    loading = _Loading(given, follow_extends)
    for source in given:
        loading.add(source)
    return loading.finish()


class _Loading:
    """Collects documents in order, each once; what a file extends comes before the file."""

    def __init__(self, given: Iterable[Source], follow_extends: bool) -> None:
        # A pack that is among the given files goes by the name that it has there.
        self._given = {identity(source): source for source in given}
        self._follow_extends = follow_extends
        self._seen: set[str] = set()
        self._sources: list[Source] = []
        self._documents: list[Document] = []
        self._assembly = Assembly()
        # How many files deep the reading is in what extends what.
        self._depth = 0

    def add(self, source: Source) -> None:
        name = identity(source)
        if name in self._seen:
            return
        self._seen.add(name)
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
        # Which rules there are is not known where a file cannot be read.
        readable = all(document.data is not None for document in self._documents)
        rules = self._assembly.finish() if readable else ()
        problems = [problem for document in self._documents for problem in document.problems]
        if problems:
            raise InvalidRulesError(problems)
        return RuleBundle(rules, tuple(self._sources), tuple(self._assembly.renames))

    def _extend(self, document: Document, source: Source) -> None:
        for index, entry in enumerate(document.data.get("extends", [])):
            try:
                if self._depth == _MAX_DEPTH:
                    raise LookupError(f"more than {_MAX_DEPTH} files extend each other in a row")
                extended = _resolve(entry, source)
            except LookupError as error:
                document.problems.append(document.problem(("extends", index), error.args[0]))
            else:
                self._depth += 1
                for each in extended:
                    self.add(self._given.get(identity(each), each))
                self._depth -= 1

    def _build(self, document: Document, broken: set[Path]) -> None:
        builder = RuleBuilder(document, broken)
        for path, rule in builder.rules():
            self._assembly.add_rule(rule, document, path)
        for path, override in builder.overrides():
            self._assembly.add_override(override, document, path)
        for key in _SELECTIONS:
            selection = builder.selection(key)
            if selection is not None:
                self._assembly.add_selection(key, selection, document)


def _check(document: Document) -> set[Path]:
    """Check the schema; return the paths of the entries that failed it."""
    problems = check_schema(document, load_schema("rules"))
    document.problems.extend(problem for _, problem in problems)
    whole = ("extends", *_SELECTIONS)
    return {path[:1] if path[:1] and path[0] in whole else path[:2] for path, _ in problems}


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
    path = resolve_extended_path(entry, source.folder)
    try:
        return (read_file(path),)
    except OSError as error:
        raise LookupError(f"cannot read {path}: {error.strerror}") from None
