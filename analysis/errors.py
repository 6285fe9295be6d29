"""The error that the commands of this package print as one sentence, with exit code 2."""


class AnalysisError(ValueError):
    """What was found, what was expected, and what to type next, in one sentence."""
