"""Small synthetic job folders for the report tests, with known content and hostile names."""

import json
from pathlib import Path

import numpy as np

from verglas.io.mrc import write_map
from verglas.io.star import Table, write_star
from verglas.types import Map

HOSTILE = "<script>alert('x')</script>&\""
BOX, PIXEL = 16, 4.0
SHELLS = BOX // 2 + 1


def text(*values: str) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def fsc(cut: float) -> np.ndarray:
    """A smooth fall through 0.5 at shell `cut`."""
    return 1 / (1 + np.exp(2.0 * (np.arange(SHELLS) - cut)))


def model_tables(iteration: int, curve: np.ndarray, scales: tuple[float, ...] = (1.0, 0.9, 1.1)) -> dict[str, Table]:
    general = Table.of_values(
        {
            "rlnOriginalImageSize": BOX,
            "rlnPixelSize": PIXEL,
            "rlnCurrentResolution": 64.0 / min(iteration + 2, 7),
            "rlnCurrentImageSize": BOX,
            "rlnAveragePmax": 0.5,
            "rlnNormCorrectionAverage": 0.7,
            "rlnSigmaOffsetsAngst": 3.0,
        }
    )
    classes = Table(
        {
            "rlnReferenceImage": text("run_class001.mrc"),
            "rlnAccuracyRotations": np.array([2.0]),
            "rlnAccuracyTranslationsAngst": np.array([1.0]),
        }
    )
    shells = Table(
        {
            "rlnSpectralIndex": np.arange(SHELLS),
            "rlnGoldStandardFsc": curve,
            "rlnReferenceTau2": np.exp(-0.5 * np.arange(SHELLS)),
        }
    )
    groups = Table(
        {
            "rlnGroupNumber": np.arange(1, len(scales) + 1),
            "rlnGroupName": text(*[f"{HOSTILE}{i}" for i in range(len(scales))]),
            "rlnGroupNrParticles": np.full(len(scales), 10),
            "rlnGroupScaleCorrection": np.array(scales),
        }
    )
    return {"model_general": general, "model_classes": classes, "model_class_1": shells, "model_groups": groups}


def particle_tables(count: int = 60, seed: int = 1, duplicate: bool = False) -> dict[str, Table]:
    rng = np.random.default_rng(seed)
    optics = Table(
        {
            "rlnOpticsGroupName": text(HOSTILE),
            "rlnOpticsGroup": np.array([1]),
            "rlnMicrographOriginalPixelSize": np.array([1.0]),
            "rlnVoltage": np.array([300.0]),
            "rlnSphericalAberration": np.array([2.7]),
            "rlnAmplitudeContrast": np.array([0.1]),
            "rlnImagePixelSize": np.array([PIXEL]),
            "rlnImageSize": np.array([BOX]),
            "rlnImageDimensionality": np.array([2]),
        }
    )
    names = [f"{i + 1:06d}@stack.mrcs" for i in range(count)]
    if duplicate:
        names[1] = names[0]
    rows = Table(
        {
            "rlnImageName": text(*names),
            "rlnMicrographName": text(*[f"{HOSTILE}{i % 3}.mrc" for i in range(count)]),
            "rlnOpticsGroup": np.ones(count, dtype=int),
            "rlnDefocusU": rng.uniform(8e3, 2e4, count),
            "rlnDefocusV": rng.uniform(8e3, 2e4, count),
            "rlnDefocusAngle": np.zeros(count),
            "rlnAngleRot": rng.uniform(-180, 180, count),
            "rlnAngleTilt": np.degrees(np.arccos(rng.uniform(-1, 1, count))),
            "rlnAnglePsi": rng.uniform(-180, 180, count),
            "rlnOriginXAngst": rng.normal(0, 3, count),
            "rlnOriginYAngst": rng.normal(0, 3, count),
            "rlnRandomSubset": 1 + np.arange(count) % 2,
            "rlnNormCorrection": rng.normal(0.7, 0.02, count),
            "rlnMaxValueProbDistribution": rng.uniform(0.2, 0.9, count),
            "rlnNrOfSignificantSamples": rng.integers(1, 200, count),
            "rlnClassNumber": np.ones(count, dtype=int),
        }
    )
    return {"optics": optics, "particles": rows}


def events(count: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"time": 0.0, "event": "start", "job": "refine3d"},
        {"time": 0.1, "event": "warning", "text": f"odd input {HOSTILE}"},
    ]
    for i in range(1, count + 1):
        rows.append(
            {
                "time": 2.0 * i,
                "event": "iteration",
                "iteration": i,
                "resolution_A": 64.0 / min(i + 2, 7),
                "current_size": 8,
                "coarse_size": 8,
                "healpix_order": 2,
                "angular_step_deg": 15.0 / i,
                "offset_range_A": 12.0,
                "offset_step_A": 4.0 / i,
                "accuracy_rot_deg": 5.0 / i,
                "accuracy_trans_A": 3.0 / i,
                "ave_pmax": 1 - 0.8 / i,
                "effective_poses": 50.0 / i,
                "significant": 80.0 / i,
                "change_angles_deg": 20.0 / i,
                "change_offsets_A": 2.0 / i,
                "particles": 60,
                "fsc": fsc(min(1.0 + i, 6.0)).tolist(),
                "seconds": {
                    "read": 0.1,
                    "prepare": 0.1,
                    "coarse": 0.5,
                    "fine": 0.8,
                    "insert": 0.2,
                    "solve": 0.1,
                    "total": 2.0,
                },
            }
        )
    return rows


def job_record(**changes: object) -> dict[str, object]:
    return {
        "job": "refine3d",
        "version": "0.1.0",
        "command": f"verglas refine3d --particles {HOSTILE}.star",
        "started": "2026-01-02T03:04:05+00:00",
        "params": {
            "particles": f"{HOSTILE}.star",
            "symmetry": "C1",
            "mask_diameter": 50.0,
            "mask": None,
            "low_resolution_join": 40.0,
        },
        "resources": {"device": "cpu", "threads": 2, "seed": 7},
        "hardware": {"cpu": "a cpu", "cores": 2, "host": "elsewhere"},
        "inputs": [{"path": f"{HOSTILE}.star", "bytes": 1234, "sha256": "ab" * 32, "hashed": "whole file"}],
        "process": 1,
        **changes,
    }


def write_job(
    folder: Path,
    iterations: int = 3,
    *,
    final: bool = True,
    marker: str = "",
    scales: tuple[float, ...] = (1.0, 0.9, 1.1),
) -> Path:
    """A refine3d folder as the job leaves it; `final`: with run_* files, else in the middle of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(job_record()))
    (folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in events(iterations)))
    rng = np.random.default_rng(0)
    blob = np.exp(-0.1 * np.sum((np.indices((BOX,) * 3) - BOX // 2) ** 2, axis=0))
    roots = [f"run_it{i:03d}" for i in range(1, iterations + 1)] + (["run"] if final else [])
    for number, root in enumerate(roots, 1):
        write_star(
            folder / (f"{root}_model.star" if root == "run" else f"{root}_half1_model.star"),
            model_tables(number, fsc(min(1.0 + number, 6.0)), scales),
        )
        write_star(folder / f"{root}_data.star", particle_tables())
        names = (
            ("run_class001.mrc", "run_half1_class001_unfil.mrc", "run_half2_class001_unfil.mrc")
            if root == "run"
            else (f"{root}_half1_class001.mrc", f"{root}_half2_class001.mrc")
        )
        for name in names:
            write_map(folder / name, Map((blob + 0.05 * rng.normal(size=blob.shape)).astype(np.float32), PIXEL))
    if marker:
        (folder / marker).touch()
    return folder
