"""A recorded chain trained again: what was recorded, what differs now, and whether the same came out."""
