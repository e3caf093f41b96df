"""Puts the rules of all files together: ids, relations, overrides, selections."""

from __future__ import annotations

from post_training_toolkit.rules.adjust import AdjustmentError
from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.model import Override, Rename, Rule, Selection
from post_training_toolkit.rules.overrides import apply_override
from post_training_toolkit.rules.relations import current_ids, find_cycle, root_causes
from post_training_toolkit.rules.sources import DEFAULT_PACK
from post_training_toolkit.rules.suggestion import did_you_mean


class Assembly:
    """Collects what the files say, then makes one list of rules of it.

    Mistakes go to the ``problems`` of the document they stand in. ``renames`` fills with the places
    that use an old id of a rule.
    """

    def __init__(self) -> None:
        self.renames: list[Rename] = []
        self._rules: dict[str, tuple[Rule, Document, Path]] = {}
        self._overrides: list[tuple[Override, Document, Path]] = []
        self._selections: list[tuple[str, Selection, Document]] = []
        self._ids: dict[str, str] = {}

    def add_rule(self, rule: Rule, document: Document, path: Path) -> None:
        """Add a rule of a document; an id can be taken once."""
        first = self._rules.setdefault(rule.id, (rule, document, path))
        if first[0] is not rule:
            place = first[1].problem((*first[2], "id"), "")
            message = (
                f"this id is taken at {place.file}:{place.line}; "
                "ids are unique, and 'overrides' changes an existing rule"
            )
            document.problems.append(document.problem((*path, "id"), message))

    def add_override(self, override: Override, document: Document, path: Path) -> None:
        """Add an override of a document."""
        self._overrides.append((override, document, path))

    def add_selection(self, key: str, selection: Selection, document: Document) -> None:
        """Add what a document selects or ignores; ``key`` says which."""
        self._selections.append((key, selection, document))

    def finish(self) -> tuple[Rule, ...]:
        """Return the rules that are left, in the order in which they were added."""
        self._ids = current_ids(rule for rule, _, _ in self._rules.values())
        self._check_former_ids()
        self._check_relations()
        rules = {identifier: rule for identifier, (rule, _, _) in self._rules.items()}
        for override, document, path in self._overrides:
            self._apply(rules, override, document, path)
        chosen = list(rules.values())
        for key, selection, document in self._selections:
            self._check_selection(key, selection, document)
            wanted = key == "select"
            chosen = [rule for rule in chosen if selection.matches(rule) is wanted]
        return tuple(chosen)

    def _check_former_ids(self) -> None:
        owner: dict[str, str] = {}
        for rule, document, path in self._rules.values():
            for index, former in enumerate(rule.renamed_from):
                taken = former if former in self._rules else owner.setdefault(former, rule.id)
                if taken != rule.id or former in self._rules:
                    message = f"{former!r} is an id of {taken!r}; ids are never used again"
                    where = (*path, "renamed_from", index)
                    document.problems.append(document.problem(where, message))

    def _check_relations(self) -> None:
        for rule, document, path in self._rules.values():
            for key, named in (("inhibits", rule.inhibits), ("caused_by", rule.caused_by)):
                for index, identifier in enumerate(named):
                    self._resolve(identifier, document, (*path, key, index))
        cycle = find_cycle(root_causes(rule for rule, _, _ in self._rules.values()))
        if cycle:
            _, document, path = self._rules[cycle[0]]
            message = f"is in the end its own cause: {' <- '.join(cycle)}"
            document.problems.append(document.problem((*path, "id"), message))

    def _resolve(self, identifier: str, document: Document, path: Path) -> str | None:
        """Return the id of today; report a rule that does not exist, note one that was renamed."""
        current = self._ids.get(identifier)
        if current is None:
            message = f"no rule {identifier!r}{did_you_mean(identifier, self._ids)}"
            if DEFAULT_PACK not in (document.data.get("extends") or []):
                message += " (shipped rules are known after extends: [pack:default])"
            document.problems.append(document.problem(path, message))
        elif current != identifier:
            place = document.problem(path, "")
            self.renames.append(Rename(place.file, place.line, place.column, identifier, current))
        return current

    def _apply(
        self, rules: dict[str, Rule], override: Override, document: Document, path: Path
    ) -> None:
        current = self._resolve(override.id, document, (*path, "id"))
        if current is None:
            return
        if current not in rules:
            message = "is disabled by an override before this one, so there is nothing to change"
            document.problems.append(document.problem((*path, "id"), message))
            return
        try:
            changed = apply_override(rules[current], override)
        except AdjustmentError as error:
            document.problems.append(document.problem((*path, "id"), str(error)))
            return
        if changed is None:
            del rules[current]
        else:
            rules[current] = changed

    def _check_selection(self, key: str, selection: Selection, document: Document) -> None:
        entry = document.data[key]
        for index, identifier in enumerate(entry.get("ids", ())):
            self._resolve(identifier, document, (key, "ids", index))
        tags = {tag for rule, _, _ in self._rules.values() for tag in rule.tags}
        for index, tag in enumerate(entry.get("tags", ())):
            if tag not in tags:
                message = f"no rule has the tag {tag!r}{did_you_mean(tag, tags)}"
                document.problems.append(document.problem((key, "tags", index), message))
