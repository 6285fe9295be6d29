"""The slow path: verdicts that a task's own script makes, contained, and the weaker guarantee that they are.

The script and the candidate run in one namespace, and often in one process. So a candidate can read /tests, end the
test runner early with an exit code that looks like success, or leave a process that writes the reward. It cannot
change /tests, reach the network, or touch anything outside of its namespace, which ends with the script.
"""
