"""What is wrong with a task, found before it costs training time: from its text, and by running it."""
