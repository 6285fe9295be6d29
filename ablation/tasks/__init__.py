"""What is asked: tasks, their loaders, prompts and splits."""
