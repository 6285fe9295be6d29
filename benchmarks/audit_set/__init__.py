"""Task sets that are made up for the benchmarks of the audit: good and varied tasks, and faults planted in them."""
