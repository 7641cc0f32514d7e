"""The pages. Importing this registers them."""

from verglas.web.pages import graph, jobs, new, projects, view

__all__ = ["graph", "jobs", "new", "projects", "view"]
