"""The self-contained HTML report of a job folder; reads files only, never loads torch."""
