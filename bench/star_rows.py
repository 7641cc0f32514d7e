"""Seconds to read and to write a particle table of a million rows and 30 columns (27 numbers, 3 strings).

    python bench/star_rows.py [rows] [folder]
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from verglas.io.star import Table, read_star, write_star


def table(rows: int, decimals: int | None, seed: int = 0) -> Table:
    """decimals: as RELION writes them (6), or None for float64 with all their digits."""
    rng = np.random.default_rng(seed)
    stacks = np.sort(rng.integers(0, max(rows // 300, 1), rows))
    columns: dict[str, np.ndarray] = {
        "rlnImageName": np.array([f"{i % 300 + 1:06d}@Extract/job009/Movies/2017_{s:05d}_frame.mrcs" for i, s in enumerate(stacks)], dtype=object),
        "rlnMicrographName": np.array([f"MotionCorr/job002/Movies/2017_{s:05d}_frameImage.mrc" for s in stacks], dtype=object),
        "rlnGroupName": np.array([f"group_{s:05d}" for s in stacks], dtype=object),
    }
    for k in range(5):
        columns[f"rlnWhole{k}"] = rng.integers(0, 10 ** (k + 1), rows)
    for k in range(22):
        values = rng.normal(size=rows) * 10 ** (k % 6)
        columns[f"rlnReal{k}"] = values if decimals is None else np.round(values, decimals)
    return Table(columns)


def measure(rows: int, folder: Path, decimals: int | None) -> None:
    path = folder / "rows.star"
    made = table(rows, decimals)
    started = time.perf_counter()
    write_star(path, {"particles": made})
    wrote = time.perf_counter()
    read = read_star(path)["particles"]
    done = time.perf_counter()
    same = all(np.array_equal(made[label], read[label]) and made[label].dtype == read[label].dtype for label in made.columns)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    name = "all digits" if decimals is None else f"{decimals} decimals"
    print(f"{rows} rows x {len(made.columns)} columns, {name}: write {wrote - started:.2f} s, read {done - wrote:.2f} s, "
          f"{path.stat().st_size / 1e6:.0f} MB, equal: {same}, peak {peak:.2f} GB", flush=True)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        measure(20_000, Path(folder), 6)  # compiles, or loads what is compiled
        measure(rows, Path(folder), 6)
        measure(rows, Path(folder), None)


if __name__ == "__main__":
    main()
