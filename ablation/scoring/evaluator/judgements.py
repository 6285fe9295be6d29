"""Which of a candidate's statements about itself count: those that the reference was asked for as well."""

from typing import Any, NamedTuple

from ablation.scoring.evaluator.standins import kind_of
from ablation.scoring.operations import BINARY

# Operations by which a class may say the same: whether it defines one or the other is its own affair.
_FAMILIES = {"__ne__": "__eq__", "__gt__": "__lt__", "__ge__": "__le__", "__len__": "__bool__"}
_FAMILIES |= {f"__i{name}__": f"__{name}__" for name in BINARY}


class Judgement(NamedTuple):
    """An operation by which a candidate's object judged something."""

    test: str
    operation: str
    about: str  # the kind of what it judged


class Judgements:
    """Which operations of candidates' objects count, by test: recorded with the reference, then enforced.

    While recording all of them count; for a task without a reference that is for ever.
    """

    def __init__(self) -> None:
        self.asked: frozenset[Judgement] = frozenset()
        self.recording = True
        self.test = ""  # that runs now

    def count(self, operation: str, operands: tuple[Any, ...]) -> bool:
        """Whether an operation on the first operand counts in the test that runs."""
        about = ",".join(kind_of(operand) for operand in operands[1:])
        operation = _FAMILIES.get(operation, operation)
        judgement = Judgement(self.test, operation, about)
        if self.recording:
            self.asked |= {judgement}
        # Python asks for equality when hashes collide, which they need not do with the reference.
        hashed = operation == "__eq__" and Judgement(self.test, "__hash__", "") in self.asked
        return judgement in self.asked or hashed
