"""How wide the particle in images looks: the circle beyond which there is nothing."""

import numpy as np

FAINT = 0.02
"""Of the highest power: what is below belongs to the particle no more."""
RIM = 0.8
"""Beyond this share of the largest radius lies background."""
SURE = 4.0
"""Standard deviations by which a ring must stand out of the rings of the background."""


def visible_diameter(images: np.ndarray, pixel: float) -> float:
    """Å: twice the largest radius at which the power of the images (K, B, B), centred at B // 2, stands out of that of the background.

    P(r) = mean over images, each scaled to the same variance, of (x - background)^2 in rings; above its mean at the rim it must be FAINT of the
    highest, and SURE times the spread of the rim, which is what noise does.
    """
    box = images.shape[-1]
    axis = np.arange(box) - box // 2
    radius = np.hypot(axis[:, None], axis[None])
    ring = np.rint(radius).astype(int).ravel()
    rim = (radius > RIM * box / 2) & (radius < box / 2)
    count = np.bincount(ring)[: box // 2]
    curve, used = np.zeros(box // 2), 0
    for image in images.astype(np.float64):
        flat = image - np.median(image[rim])
        scale = float(np.mean(flat**2))
        if scale > 0:
            curve += np.bincount(ring, (flat**2).ravel())[: box // 2] / count / scale
            used += 1
    if not used:
        return 0.0
    outer = curve[int(RIM * box / 2) :]
    above = curve - outer.mean()
    seen = np.flatnonzero(above > max(FAINT * float(above.max()), SURE * float(outer.std())))
    return float(2 * pixel * (seen[-1] + 0.5)) if len(seen) else 0.0
