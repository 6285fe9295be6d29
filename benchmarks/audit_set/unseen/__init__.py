"""A second set of planted faults and good tasks, written without a look at the audit and kept from its development.

Every list of variants is halved by position: the first half was run while the audit was mended, the second only after.
"""
