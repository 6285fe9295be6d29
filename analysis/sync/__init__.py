"""Offline W&B runs uploaded later: one run for a chain, stitched, and no row twice.

What was uploaded is known by asking the server which rows it has (a row is known by its time stamp); the record
beside each log only saves the question. So a kill at any instant, a lost record and a folder that was copied cost
nothing but time.
"""
