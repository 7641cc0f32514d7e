"""One picture of all class averages, the best first."""

import numpy as np
from PIL import Image, ImageDraw

TILE, CAPTION, GAP = 112, 16, 4


def gallery(images: np.ndarray, captions: list[str], selected: np.ndarray, across: int = 10) -> np.ndarray:
    """(H, W, 3) uint8: images (K, B, B) in their order, row by row, each on its own grey scale with its caption; a green frame: selected."""
    across = min(across, len(images))
    down = -(-len(images) // across)
    page = Image.new("RGB", (across * (TILE + GAP) + GAP, down * (TILE + CAPTION + GAP) + GAP), (20, 20, 20))
    draw = ImageDraw.Draw(page)
    for number, (image, caption) in enumerate(zip(images, captions)):
        x, y = GAP + number % across * (TILE + GAP), GAP + number // across * (TILE + CAPTION + GAP)
        page.paste(Image.fromarray(_grey(image)).resize((TILE, TILE), Image.Resampling.BICUBIC), (x, y + CAPTION))
        draw.text((x + 2, y + 2), caption, fill=(235, 235, 235))
        if selected[number]:
            draw.rectangle((x - 2, y + CAPTION - 2, x + TILE + 1, y + CAPTION + TILE + 1), outline=(70, 200, 90), width=2)
    return np.asarray(page)


def _grey(image: np.ndarray) -> np.ndarray:
    """(B, B) uint8, first row at the bottom; black and white are the 0.5 and 99.8 percentiles."""
    low, high = np.percentile(image, [0.5, 99.8])
    grey = np.clip((image - low) / max(float(high - low), 1e-30), 0, 1) * 255
    return np.rint(grey[::-1]).astype(np.uint8)
