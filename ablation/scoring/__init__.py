"""What a completion earned: extraction, execution, verdicts, rewards."""
