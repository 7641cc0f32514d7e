"""The pages. Importing this registers them."""

from verglas.web.pages import view

__all__ = ["view"]
