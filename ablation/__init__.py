"""Train one chain per arm and seed with GRPO on rewards from executed tests."""

__version__ = "0.1.0"
