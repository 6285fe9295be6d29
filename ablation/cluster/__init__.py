"""Chains as jobs of a cluster: planned, submitted, and run there."""
