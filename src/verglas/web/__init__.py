"""The browser interface: pages in NiceGUI over `verglas.api`, data over plain HTTP routes. `verglas.web.app` starts it."""
