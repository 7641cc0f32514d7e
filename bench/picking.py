"""Picks against manual ones on eight real micrographs of apoferritin, by size and with averages of what was found, and the time of 4096^2.

    VERGLAS_TEST_DATA=/path/to/data PYTHONPATH=src python bench/picking.py
"""

import os
import time
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from verglas.io.coordinates import read_coordinates
from verglas.io.mrc import read_volume
from verglas.methods.picking.bank import averages_bank
from verglas.methods.picking.blobs import BlobOptions, pick_blobs
from verglas.methods.picking.choose import Limits, choose_picks
from verglas.methods.picking.templates import TemplateOptions, field_pixel, template_scores

DATA = Path(os.environ["VERGLAS_TEST_DATA"]) / "apoferritin"
PIXEL, BOX, TOLERANCE = 1.5, 128, 25.0


def report(name: str, found: list[np.ndarray], true: list[np.ndarray]) -> None:
    """Recall, false discovery rate, median error, one to one."""
    errors: list[float] = []
    for picks, manual in zip(found, true):
        distance, which = cKDTree(manual).query(picks)
        order = np.argsort(distance)
        _, first = np.unique(which[order], return_index=True)
        nearest = distance[order][first]
        errors += nearest[nearest < TOLERANCE].tolist()
    picked, manual_count = sum(map(len, found)), sum(map(len, true))
    print(f"{name:10s} recall {len(errors) / manual_count:.3f}  false {1 - len(errors) / picked:.3f}  error {np.median(errors):.2f} px")


def windows(image: np.ndarray, xy: np.ndarray) -> list[np.ndarray]:
    """Bright particles (BOX, BOX) whose window lies inside."""
    half, shape = BOX // 2, image.shape
    flat = (np.median(image) - np.clip(image, *np.percentile(image, [0.5, 99.5]))) / image.std()
    at = [(x, y) for x, y in np.rint(xy).astype(int) if half <= x < shape[1] - half and half <= y < shape[0] - half]
    return [flat[y - half : y + half, x - half : x + half] for x, y in at]


def main() -> None:
    truth = read_coordinates(DATA / "manual_picks.star", DATA)
    images = {name: read_volume(DATA / name)[0][0] for name in truth}
    true = [truth[name].xy for name in images]
    options = BlobOptions(110.0, 140.0)
    blobs = [pick_blobs(image, PIXEL, options, Limits(options.apart)).picks.xy for image in images.values()]
    report("log", blobs, true)
    boxes = np.array([one for image, xy in zip(images.values(), blobs) for one in windows(image, xy)])
    averages = torch.from_numpy(np.stack([boxes[i::6].mean(0) for i in range(6)]))
    matching, step = TemplateOptions(140.0), np.radians(5.0)
    bank = averages_bank(averages, PIXEL, 140.0, field_pixel(PIXEL, matching.lowpass), step)
    maps = [template_scores(image, PIXEL, bank, matching) for image in images.values()]
    report("template", [choose_picks(one, Limits(matching.apart)).picks.xy for one in maps], true)
    large = np.tile(next(iter(images.values())), (4, 4))[:4096, :4096]
    bank = averages_bank(averages, PIXEL, 140.0, field_pixel(0.885, matching.lowpass), step)
    for turn in ("first", "next"):
        clock, cpu = time.perf_counter(), time.process_time()
        template_scores(large, 0.885, bank, matching)
        print(f"{turn} 4096^2, 6 templates at 5 degrees: {time.perf_counter() - clock:.2f} s, {time.process_time() - cpu:.2f} s of CPU")


if __name__ == "__main__":
    main()
