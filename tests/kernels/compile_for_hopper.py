"""Compiles every Triton kernel for an NVIDIA GPU of capability 9.0, which needs no GPU, and prints what each takes.

    python tests/kernels/compile_for_hopper.py
"""

import os
import re
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path

os.environ.pop("TRITON_INTERPRET", None)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from verglas.kernels.gpu import tiles

give, insert, prune, score, select, cut = (import_module(f"verglas.kernels.gpu.{n}") for n in ("give", "insert", "prune", "score", "select", "slice"))
C, F, I, L, H = "*fp32", "fp32", "*i32", "*i64", "*bf16"
FAN = {"TURNS": 8, "MOVES": 4, "C": 8}


def _cases() -> list[tuple[str, object, list[str], dict[str, object], int]]:
    s, g, p, e = tiles.SCORE, tiles.GIVE, tiles.PRUNE, tiles.SELECT
    scores = [C, C, C, C, C, I, I, L, I, C, "i32"]
    gives = [C, C, C, C, C, C, I, L, I, C, L, L, L, C, C, C, C, C, C, "i32", "i32"]
    cuts = [C, C, C, C, "i32", "i32", "i32"]
    adds = [C, C, C, C, C, C, "i32", "i32", "i32"]
    prunes = [H, H, C, C, C, C, I, I, C, F, "i32", "i32", "i32", "i32", "i32"]
    square = {"M": p.rows, "R": p.rows, "Q": p.pixels}
    return [
        *((f"slice flat={f}", cut._cut, cuts, {"FLAT": f, "BLOCK": tiles.SLICE.pixels}, 4) for f in (False, True)),
        *((f"insert flat={f}", insert._add, adds, {"FLAT": f, "BLOCK": tiles.INSERT.pixels}, 4) for f in (False, True)),
        ("score 8 x 4", score._score, scores, FAN | {"T": s.rows, "P": s.pixels, "PRODUCT": True, "PRECISION": s.precision}, s.warps),
        ("score 1 x 1", score._score, scores, {"TURNS": 1, "MOVES": 1, "C": 1, "T": 16, "P": s.pixels, "PRODUCT": False, "PRECISION": ""}, s.warps),
        ("score 2 x 4", score._score, scores, {"TURNS": 2, "MOVES": 4, "C": 2, "T": 16, "P": s.pixels, "PRODUCT": False, "PRECISION": ""}, s.warps),
        ("give 8 x 4", give._give, gives, FAN | {"T": g.rows, "P": g.pixels, "PRECISION": g.precision}, g.warps),
        ("prune first", prune._prune, prunes, square | {"EVERY": 16, "KEEP": False}, p.warps),
        ("prune", prune._prune, prunes, square | {"EVERY": 1, "KEEP": True}, p.warps),
        (
            "threshold", select._threshold, [C, L, "i64", F, "i64", F, "*fp64", "*fp64", L],
            {"BLOCK": e.rows // 4, "WIDE": e.rows, "K": select.PROBES, "PASSAGES": select.PASSAGES}, e.warps,
        ),
        ("highest", select._highest, [C, L, "i64", C, L], {"BLOCK": e.rows}, e.warps),
        ("count", select._count, [C, L, "*fp64", L], {"BLOCK": e.rows}, e.warps),
        ("compact", select._compact, [C, L, "*fp64", L, L], {"BLOCK": e.rows}, e.warps),
        ("weigh", select._weigh, [C, L, "*fp64", "*fp64", C], {"BLOCK": e.rows}, e.warps),
    ]


def main() -> None:
    binaries = Path(triton.__file__).parent / "backends/nvidia/bin"
    for name, kernel, types, constants, warps in _cases():
        names = [n for n in kernel.arg_names if n not in constants]
        aligned = {(kernel.arg_names.index(n),): [["tt.divisibility", 16]] for n, t in zip(names, types) if t[0] == "*" or n == "length"}
        source = ASTSource(kernel, dict(zip(names, types, strict=True)), constants, aligned)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(made.asm["cubin"])
            file.flush()
            usage = subprocess.run([binaries / "cuobjdump", "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
        registers, stack = (int(re.search(rf"{word}:(\d+)", usage)[1]) for word in ("REG", "STACK"))
        products = sorted(set(re.findall(r"(?:wgmma\.mma_async|mma\.sync)[\w.]*", made.asm["ptx"])))
        print(f"{name}: {registers} registers, {stack} bytes of stack, {made.metadata.shared} bytes shared {' '.join(products)}")


if __name__ == "__main__":
    main()
