"""Groups induced faults that are the same thing done in another way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# A fault that is not named here is a family of its own.
_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        fault: family
        for family, faults in {
            "learning rate too high": ("lr_too_high",),
            "learning rate jumps": ("lr_jump",),
            "learning rate too low": ("lr_zero", "lr_too_low", "slow_learning"),
            "NaN": ("nan_loss", "nan_gradient", "reward_nan"),
            "wrong labels": ("label_noise", "label_flip", "identical_pairs"),
            "over-fitting": ("overfit", "over_optimisation"),
            "reward changes": (
                "reward_scale",
                "reward_scale_jump",
                "reward_sign",
                "reward_zero",
                "reward_noise",
            ),
            "exception": ("crash", "reward_exception"),
        }.items()
        for fault in faults
    }
)


def family_of(fault: str) -> str:
    """Return the name of a fault's family.

    >>> family_of("nan_gradient"), family_of("bad_data")
    ('NaN', 'bad data')
    """
    return _FAMILIES.get(fault, fault.replace("_", " "))
