"""What keeps a candidate from everything but its own arithmetic, in tiers that are chosen by trying.

``choose`` the tier, start the candidate server with ``server_command``, ``confine_server`` in it after its imports,
``confine_child`` in each fork, ``end_child`` when its time is over.
"""
