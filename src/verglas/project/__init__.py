"""The project folder: its jobs, what made what, what waits, and what may be cleaned. Plain files are the truth."""
