"""A case of the matrix, and the three ways in which one can end."""

from collections.abc import Callable
from dataclasses import dataclass

BOTH = ("server", "client")


class Wrong(Exception):
    """The peer did something that the rule forbids: the case has failed."""


class Skip(Exception):
    """The case does not apply to this peer; the text says why."""


@dataclass(frozen=True)
class Case:
    """One rule, and a conversation that shows whether the peer obeys it."""

    id: str  # stable: chapter, number on the checklist, words
    item: int  # the number on the checklist
    section: str  # of RFC 6455 unless another RFC is named
    rule: str  # one sentence
    run: Callable  # takes a lab (see server.py and client.py); raises Wrong or Skip
    on: tuple[str, ...] = BOTH  # the roles that it tests
    needs: tuple[str, ...] = ()  # strict, slow, deflate, origin, max_message, max_fragments


class Chapter:
    """The cases of one module, in the order in which they were written down."""

    def __init__(self, letter, on=BOTH, needs=()):
        self.letter, self.on, self.needs = letter, on, tuple(needs)
        self.cases = []

    def add(self, name, item, section, rule, run, on=None, needs=()):
        """Adds a case; `name` is what follows the number in its id."""
        identity = f"{self.letter}{item:02}-{name}"
        if any(case.id == identity for case in self.cases):
            raise ValueError(f"there are two cases {identity}")
        self.cases.append(Case(identity, item, section, rule, run, on or self.on, (*self.needs, *needs)))

    def case(self, name, item, section, rule, on=None, needs=()):
        """The same as a decorator, for a case that is a script."""

        def register(run):
            self.add(name, item, section, rule, run, on, needs)
            return run

        return register
