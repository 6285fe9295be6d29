"""Harbor's tasks: folders with an instruction, a script that tests, and often a solution."""
