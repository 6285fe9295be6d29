"""The candidate's side of the split: a fork server without tests or secrets, and what runs in its forks."""
