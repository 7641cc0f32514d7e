"""Decoding of EER movies: compressed MB/s and electrons/s of one thread, and of two threads through read_ahead.

usage: python bench/eer.py [HARDWARE_FRAMES=60] [ELECTRONS_PER_PIXEL=0.03]
A 4096 x 4096 movie is made in a temporary folder (0.03 electrons per pixel and frame is a usual exposure).
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np

from verglas.io.eer import EerFrames
from verglas.io.movies import read_ahead
from verglas.testing.eer_movies import encode_frame, random_electrons, write_eer

SIDE, GROUPING = 4096, 20


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 0.03
    rng = np.random.default_rng(0)
    different = [random_electrons(rng, SIDE * SIDE, rate) for _ in range(3)]
    frames = [encode_frame(one, SIDE * SIDE) for one in different]
    electrons = sum(len(different[i % 3]) for i in range(count // GROUPING * GROUPING))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "movie.eer"
        write_eer(path, [frames[i % 3] for i in range(count)], (SIDE, SIDE))
        size = path.stat().st_size
        print(f"{count} hardware frames, {size / 1e6:.1f} MB, {electrons / 1e6:.1f} million electrons")
        start = time.perf_counter()
        EerFrames(path, GROUPING, 1)
        print(f"open                           {time.perf_counter() - start:6.3f} s")
        for upsampling in (1, 2):
            movie = EerFrames(path, GROUPING, upsampling)
            movie.read(0)
            for threads in (1, 2):
                start, cpu = time.perf_counter(), time.process_time()
                found = sum(int(one.sum(dtype=np.int64)) for one in read_ahead(movie, threads=threads, ahead=threads + 1))
                wall, cpu = time.perf_counter() - start, time.process_time() - cpu
                assert found == electrons
                print(f"upsampling {upsampling}, {threads} thread(s), with a sum {wall:6.3f} s, CPU {cpu:6.3f} s: {size / 1e6 / wall:5.0f} MB/s")
            start, cpu = time.perf_counter(), time.process_time()
            for i in range(movie.count):
                movie.read(i)
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(f"upsampling {upsampling}, read() alone           {wall:6.3f} s, CPU {cpu:6.3f} s: {size / 1e6 / cpu:5.0f} MB/s of CPU time, "
                  f"{electrons / 1e6 / cpu:.0f} million electrons/s, {1e3 * cpu / count:.2f} ms per hardware frame")
        out = np.zeros((SIDE, SIDE), np.uint16)
        cpu = time.process_time()
        for i in range(3):
            imagecodecs.eer_decode(frames[i] + bytes(len(frames[i]) % 2), out.shape, 7, 2, 2, superres=0, out=out)
        print(f"imagecodecs.eer_decode, upsampling 1: {1e3 * (time.process_time() - cpu) / 3:.2f} ms of CPU per hardware frame")


if __name__ == "__main__":
    main()
