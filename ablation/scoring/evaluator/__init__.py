"""The evaluator's side of the split: it holds the tests, and asks the candidate's process for values."""
