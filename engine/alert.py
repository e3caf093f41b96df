"""The state machine of one alert: inactive, pending, firing, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


class AlertState(Enum):
    """Where an alert stands."""

    INACTIVE = auto()
    """The condition does not hold."""
    PENDING = auto()
    """The condition holds, but not yet long enough to fire."""
    FIRING = auto()
    """An episode is open."""
    RESOLVED = auto()
    """The last episode is over; as INACTIVE from then on."""


class Transition(Enum):
    """What one observation changed."""

    NONE = auto()
    FIRED = auto()
    RESOLVED = auto()


@dataclass(slots=True)
class Alert:
    """Follows one condition through its episodes, one call per observation.

    ``idle`` says that nothing is pending, firing or cooling down. ``first_step`` is where the
    current or last episode began to hold, ``last_step`` where it held last, ``held`` in how many
    observations, ``episode`` its number from 1. After an episode no new one begins for
    ``cool_down`` observations.
    """

    required_observations: int = 1
    keep_firing_for: int = 1
    cool_down: int = 0
    state: AlertState = field(default=AlertState.INACTIVE, init=False)
    idle: bool = field(default=True, init=False)
    episode: int = field(default=0, init=False)
    first_step: int = field(default=0, init=False)
    last_step: int = field(default=0, init=False)
    held: int = field(default=0, init=False)
    _cleared: int = field(default=0, init=False)
    _cooling: int = field(default=0, init=False)

    def advance(self, step: int, met: bool | None, *, urgent: bool = False) -> Transition:
        """Take one observation: the condition held, did not hold, or could not be judged (None).

        An ``urgent`` one fires without waiting for more.

        >>> alert = Alert(required_observations=2, keep_firing_for=1)
        >>> [alert.advance(step, met).name for step, met in enumerate([True, True, None, False])]
        ['NONE', 'FIRED', 'NONE', 'RESOLVED']
        """
        if met is None:
            return Transition.NONE
        if self._cooling:
            self._cooling -= 1
            self.idle = self._cooling == 0
            return Transition.NONE
        return self._hold(step, urgent) if met else self._clear()

    def close(self) -> None:
        """End the episode at the end of the run."""
        self.state = AlertState.RESOLVED

    def _hold(self, step: int, urgent: bool) -> Transition:
        if self.state in (AlertState.INACTIVE, AlertState.RESOLVED):
            self.state = AlertState.PENDING
            self.idle = False
            self.first_step = step
            self.held = 0
        self.held += 1
        self.last_step = step
        self._cleared = 0
        due = urgent or self.held >= self.required_observations
        if self.state is AlertState.PENDING and due:
            self.state = AlertState.FIRING
            self.episode += 1
            return Transition.FIRED
        return Transition.NONE

    def _clear(self) -> Transition:
        if self.state is AlertState.PENDING:
            self.state = AlertState.RESOLVED if self.episode else AlertState.INACTIVE
            self.idle = True
        if self.state is not AlertState.FIRING:
            return Transition.NONE
        self._cleared += 1
        if self._cleared < self.keep_firing_for:
            return Transition.NONE
        self.state = AlertState.RESOLVED
        self._cooling = self.cool_down
        self.idle = self.cool_down == 0
        return Transition.RESOLVED
