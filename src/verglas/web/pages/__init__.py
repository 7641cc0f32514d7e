"""The pages. Importing this registers them."""

from verglas.web.pages import graph, job, jobs, new, projects, trash, view, workflow, workflows

__all__ = ["graph", "job", "jobs", "new", "projects", "trash", "view", "workflow", "workflows"]
