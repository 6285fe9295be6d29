"""Names that tell one made-up task from another."""

import random

ADJECTIVES, NOUNS, VERBS, PLACES = (
    text.split()
    for text in (
        "amber brisk calm dusty eager faint gentle hollow icy jolly keen lucid mellow noble odd plain quiet rapid "
        "sober tidy upper vivid warm young zesty broad crisp dense exact fresh",
        "anchor basket candle drawer engine feather garden harbor island jacket kettle ladder market needle orchard "
        "parcel quarry ribbon saddle ticket valley wagon yard beacon cellar ferry glacier hammer invoice lantern",
        "arrange build collect derive extract filter gather handle inspect join keep list measure order pack reduce "
        "select tally update weigh",
        "warehouse museum library bakery clinic station workshop archive orchard theatre harbour factory studio",
    )
)


class Words:
    """Draws names; no two functions of one set are called the same."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._used: set[str] = set()

    def function(self) -> str:
        """A new name such as ``tally_amber_kettle``."""
        while True:
            name = "_".join(map(self._chance.choice, (VERBS, ADJECTIVES, NOUNS)))
            if name not in self._used:
                self._used.add(name)
                return name

    def kind(self) -> str:
        """A new name such as ``AmberKettle``."""
        while True:
            name = "".join(self._chance.choice(words).title() for words in (ADJECTIVES, NOUNS, NOUNS))
            if name not in self._used:
                self._used.add(name)
                return name

    def noun(self) -> str:
        return self._chance.choice(NOUNS)

    def place(self) -> str:
        return self._chance.choice(PLACES)

    def text(self, words: int) -> str:
        """Some words in a row."""
        return " ".join(self._chance.choice(self._chance.choice((ADJECTIVES, NOUNS, VERBS))) for _ in range(words))
