"""Read runs, make decisions and pictures. Never imports torch."""
