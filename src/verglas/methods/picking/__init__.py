"""Particle picking: blobs that learn their own profile, templates at all in-plane angles, and picks of other programs."""
