"""Routes that give pictures, slices and rows of tables; all below /p/{key}/data."""

from fastapi import APIRouter

from verglas.web.data import image_routes, plot_routes, table_routes, volume_routes

ROUTERS: tuple[APIRouter, ...] = (volume_routes.router, table_routes.router, image_routes.router, plot_routes.router)
