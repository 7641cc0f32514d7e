"""Routes that give pictures, slices and rows of tables; all below /p/{key}/data."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
