"""Picks against manual ones on eight real micrographs of apoferritin, by size and with averages of what was found, and the time of 4096^2.

    VERGLAS_TEST_DATA=/path/to/data PYTHONPATH=src python bench/picking.py [run_it060_classes.mrcs]
    VERGLAS_TEST_DATA=/path/to/data PYTHONPATH=src python bench/picking.py scenes

A stack of averages of `verglas class2d` takes the place of plain averages of the picks. `scenes`: simulated micrographs of four molecules, picked by
size alone from 0.85 of their mean width to 1.05 of their length: even ice at three defoci, dense, sparse, empty, carbon, contamination, a grid bar.
"""

import os
import sys
import time
from pathlib import Path

import gemmi
import numpy as np
import torch
from picking_scenes import Scene, score, shoot, widths

from verglas.io.coordinates import read_coordinates
from verglas.io.mrc import read_volume
from verglas.jobs.pick_references import read_references
from verglas.methods.picking.bank import averages_bank
from verglas.methods.picking.blobs import BlobOptions, pick_blobs
from verglas.methods.picking.choose import Limits, choose_picks
from verglas.methods.picking.templates import TemplateOptions, field_pixel, template_scores
from verglas.methods.simulate.atoms import atoms_of
from verglas.methods.simulate.phantom import phantom_atoms

DATA = Path(os.environ["VERGLAS_TEST_DATA"]) / "apoferritin"
PIXEL, BOX, TOLERANCE = 1.5, 128, 25.0


def report(name: str, found: list[np.ndarray], true: list[np.ndarray]) -> None:
    """Recall, false discovery rate, median error, one to one, of all micrographs (laid far apart from each other)."""
    picks, manual = (np.concatenate([one + 1e5 * number for number, one in enumerate(many)]) for many in (found, true))
    recall, false, error = score(picks, manual, TOLERANCE)
    print(f"{name:10s} recall {recall:.3f}  false {false:.3f}  error {error:.2f} px")


def windows(image: np.ndarray, xy: np.ndarray) -> list[np.ndarray]:
    """Bright particles (BOX, BOX) whose window lies inside."""
    half, shape = BOX // 2, image.shape
    flat = (np.median(image) - np.clip(image, *np.percentile(image, [0.5, 99.5]))) / image.std()
    at = [(x, y) for x, y in np.rint(xy).astype(int) if half <= x < shape[1] - half and half <= y < shape[0] - half]
    return [flat[y - half : y + half, x - half : x + half] for x, y in at]


def main(given: Path | None) -> None:
    truth = read_coordinates(DATA / "manual_picks.star", DATA)
    images = {name: read_volume(DATA / name)[0][0] for name in truth}
    true = [truth[name].xy for name in images]
    options = BlobOptions(110.0, 140.0)
    blobs = [pick_blobs(image, PIXEL, options, Limits(options.apart)).picks.xy for image in images.values()]
    report("log", blobs, true)
    boxes = np.array([one for image, xy in zip(images.values(), blobs) for one in windows(image, xy)])
    averages, width = torch.from_numpy(np.stack([boxes[i::6].mean(0) for i in range(6)])), PIXEL
    if given is not None:
        references = read_references(given, None, False)
        averages, width = references.data, references.pixel
    matching, step = TemplateOptions(140.0), np.radians(5.0)
    bank = averages_bank(averages, width, 140.0, field_pixel(PIXEL, matching.lowpass), step)
    maps = [template_scores(image, PIXEL, bank, matching) for image in images.values()]
    report("template", [choose_picks(one, Limits(matching.apart)).picks.xy for one in maps], true)
    large = np.tile(next(iter(images.values())), (4, 4))[:4096, :4096]
    bank = averages_bank(averages[:6], width, 140.0, field_pixel(0.885, matching.lowpass), step)
    for turn in ("first", "next"):
        clock, cpu = time.perf_counter(), time.process_time()
        maps = template_scores(large, 0.885, bank, matching)
        print(f"{turn} 4096^2, 6 templates at 5 degrees: {time.perf_counter() - clock:.2f} s, {time.process_time() - cpu:.2f} s of CPU")
    clock = time.process_time()
    choose_picks(maps, Limits(matching.apart, threshold=0.7))
    print(f"another threshold on these maps: {time.process_time() - clock:.2f} s of CPU")


def scenes() -> None:
    """One line for each molecule and scene, errors in Å."""
    models = Path(os.environ["VERGLAS_TEST_DATA"]) / "models"
    molecules = {"beta-gal": atoms_of(gemmi.read_structure(str(models / "5a1a.cif")), 60.0),
                 "groel ring": atoms_of(gemmi.read_structure(str(models / "1oel.pdb")), 60.0),
                 "150 kDa": phantom_atoms("C1", 150, 3), "900 kDa": phantom_atoms("C1", 900, 4)}
    for number, (name, atoms) in enumerate(molecules.items()):
        short, long = widths(atoms)
        options = BlobOptions(round(0.425 * (short + long)), round(1.05 * long))
        pixel = (1.77, 1.5, 1.2, 1.9)[number]
        size, seed = (int(3200 / pixel),) * 2, 100 + 10 * number
        cases = {f"{defocus / 1e4:.1f} um": Scene(size, pixel, defocus, seed + k, count=200) for k, defocus in enumerate((6000, 12000, 25000))} | {
            "dense": Scene(size, pixel, 15000, seed + 5, apart=0.95, count=1000),
            "sparse": Scene(size, pixel, 15000, seed + 9, count=15, gradient=0.2),
            "empty": Scene(size, pixel, 15000, seed + 10, count=0, gradient=0.3),
            "carbon": Scene(size, pixel, 15000, seed + 6, count=200, carbon=0.33, gradient=0.3),
            "dirt": Scene(size, pixel, 12000, seed + 7, count=200, blobs=8, gradient=0.3),
            "bar": Scene(size, pixel, 12000, seed + 8, count=200, bar=0.15, gradient=0.5, blobs=3),
        }
        for case, scene in cases.items():
            shot = shoot(atoms, scene)
            xy = pick_blobs(shot.image, pixel, options, Limits(options.apart)).picks.xy
            recall, false, error = score(xy, shot.xy, 0.3 * long / pixel)
            print(f"{name:10s} {case:6s} {options.smallest:.0f}-{options.largest:.0f} Å: {len(shot.xy):4d} true, {len(xy):4d} picks, "
                  f"recall {recall:.3f}  false {false:.3f}  error {error * pixel:.2f} Å", flush=True)


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else None
    if given == "scenes":
        scenes()
    else:
        main(Path(given) if given else None)
