"""The real beta-galactosidase particles (EMPIAR-10204, 1,400 of 64 px) and the simulated set, refined and timed as a user would.

    python bench/betagal.py DATA_FOLDER [real | simulated]

DATA_FOLDER holds bgal-project, sim-bgal64 and maps. RELION 5 (accelerated CPU build, 2 cores): real 14.6 min, simulated 12.8 min.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETS = {
    "real": ("bgal-project", ["--particles", "derived/particles_with_poses.star", "--reference", "../maps/betaGal.mrc"], 876.0),
    "simulated": ("sim-bgal64", ["--particles", "sim.star", "--reference", "bgal64.mrc", "--absolute-greyscale"], 770.0),
}
COMMON = ["--initial-lowpass", "50", "--symmetry", "D2", "--mask-diameter", "200"]


def main(data: Path, names: list[str]) -> None:
    for name in names:
        folder, inputs, relion = SETS[name]
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            command = [sys.executable, "-m", "verglas", "refine3d", *inputs, *COMMON, "--output", f"{out}/run"]
            subprocess.run(command, cwd=data / folder, check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
        print(f"{name}: {seconds:.1f} s, RELION 5 took {relion:.0f} s elsewhere: {relion / seconds:.1f} times as long")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("bench/betagal.py: skipped, give the folder of the data")
    else:
        main(Path(sys.argv[1]), sys.argv[2:] or list(SETS))
