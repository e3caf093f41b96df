"""Prints how many mutants of the shipped rules their tests notice, and those they do not.

A deletion (a threshold, condition or key is gone) that survives is a hole in the tests, or shows
that the part says nothing. A shift (a bound or window a fifth smaller or a quarter larger) that
survives shows how close to its boundary a rule is tested.
"""

from __future__ import annotations

import time
from collections import Counter

from post_training_toolkit.engine.mutation import Kind, MutationScore, shipped_verdicts


def main() -> None:
    """Print the scores, by kind and by rule, and the survivors."""
    start = time.perf_counter()
    verdicts = list(shipped_verdicts())
    for kind in Kind:
        print(f"{kind}: {MutationScore.of(verdicts, kind)}")
    left = Counter(each.mutant.rule for each in verdicts if each.killed_by is None)
    total = Counter(each.mutant.rule for each in verdicts)
    print("\nrule: survivors of mutants")
    for rule, count in total.items():
        print(f"  {rule}: {left[rule]} of {count}")
    print("\nsurvivors")
    for each in verdicts:
        if each.killed_by is None:
            print(f"  {each.mutant.kind} {each.mutant}")
    print(f"\n{len(verdicts)} mutants in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
