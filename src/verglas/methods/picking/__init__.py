"""Particle picking: blobs that learn their own profile, templates at all in-plane angles, and picks of other programs."""

from verglas.methods.picking.blobs import BlobOptions, blob_scores, pick_blobs
from verglas.methods.picking.bank import Bank, averages_bank, map_bank
from verglas.methods.picking.choose import Chosen, Limits, choose_picks
from verglas.methods.picking.field import Field, Optics, make_field
from verglas.methods.picking.merge import merge_picks
from verglas.methods.picking.scores import ScoreMaps
from verglas.methods.picking.templates import TemplateOptions, template_scores
