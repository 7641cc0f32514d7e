"""Small synthetic folders of classification jobs, with known content."""

import json
from pathlib import Path

import numpy as np
from report_folders import BOX, PIXEL, job_record, model_tables, particle_tables, text

from verglas.io.mrc import StackWriter, write_map
from verglas.io.star import Table, write_star
from verglas.types import Map


def shares(count: int, iteration: int, last: int) -> np.ndarray:
    """From even to a fall by one third from class to class, in a mixed order."""
    goal = 0.67 ** np.random.default_rng(3).permutation(count)
    part = iteration / last
    mixed = (1 - part) / count + part * goal / goal.sum()
    return mixed / mixed.sum()


def class_model(kind: str, count: int, iteration: int, last: int, root: str, folder: str = "Class/job007") -> dict[str, Table]:
    """model.star of a classification as RELION and verglas name its columns."""
    flat = kind == "class2d"
    base = model_tables(iteration, np.zeros(BOX // 2 + 1))
    general = dict(base["model_general"].values()) | {
        "rlnReferenceDimensionality": 2 if flat else 3, "rlnNrClasses": count, "rlnTau2FudgeFactor": 2.0, "rlnAveragePmax": 0.6,
    }
    size = shares(count, iteration, last)
    names = [f"{k:06d}@{folder}/{root}_classes.mrcs" if flat else f"{folder}/{root}_class{k:03d}.mrc" for k in range(1, count + 1)]
    classes = Table({
        "rlnReferenceImage": text(*names), "rlnClassDistribution": size, "rlnAccuracyRotations": np.where(size > 0.02, 0.5 / size**0.5, 999.0),
        "rlnAccuracyTranslationsAngst": np.where(size > 0.02, 0.3 / size**0.5, 999.0), "rlnEstimatedResolution": 9.0 + 0.5 / size,
        "rlnOverallFourierCompleteness": np.full(count, 0.9),
    })
    return base | {"model_general": Table.of_values(general), "model_classes": classes}


def class_events(kind: str, count: int, last: int, particles: int) -> list[dict[str, object]]:
    """The event log of a finished job."""
    rows: list[dict[str, object]] = [{"time": 0.0, "event": "start", "job": kind}]
    rng = np.random.default_rng(5)
    for i in range(1, last + 1):
        size, before = shares(count, i, last), shares(count, i - 1, last)
        stay = 1 - 0.6 / i
        flow = np.rint(particles * (stay * np.diag(np.minimum(size, before)) + (1 - stay) * np.outer(before, size)))
        rows.append({
            "time": 3.0 * i, "event": "iteration", "iteration": i, "resolution_A": 40.0 / i**0.5, "current_size": 12, "coarse_size": 10,
            "angular_step_deg": 12.0 if i < last / 2 else 6.0, "offset_range_A": 12.0, "offset_step_A": 4.0, "ave_pmax": 0.7 - 0.5 / i,
            "effective_poses": 30.0 / i, "significant": 60.0 / i, "change_angles_deg": 30.0 / i, "change_offsets_A": 3.0 / i,
            "change_classes": 0.6 / i, "class_sizes": size.tolist(), "class_resolution_A": (9.0 + 0.5 / size + 20 / i).tolist(),
            "class_flow": flow.tolist(), "accuracy_rot_deg": 4.0, "accuracy_trans_A": 2.0, "particles": particles,
            "subset": min(particles, 50 * i), "step_size": 0.9 if i < last / 2 else 0.3, "tau": 2.0,
            "seconds": {"read": 0.2, "coarse": 0.9, "fine": 1.0, "insert": 0.4, "solve": 0.2, "total": 3.0},
        })
        if kind == "class3d-fixed":
            for name in ("subset", "step_size", "angular_step_deg", "offset_step_A", "accuracy_rot_deg", "change_angles_deg", "change_offsets_A"):
                del rows[-1][name]
            counts, edges = np.histogram(rng.normal(1.0, 0.15, particles), 20)
            rows[-1] |= {"ess": count / i**0.5, "kl": 0.4 / i, "rms_density_change": [0.3 / i] * count, "scales": {
                "edges": edges.tolist(), "counts": counts.tolist()}}
    return rows


def class_particles(kind: str, count: int, iteration: int, last: int, particles: int) -> dict[str, Table]:
    """Particles in their classes; a few change theirs in each iteration."""
    tables = particle_tables(particles)
    edges = np.cumsum(shares(count, iteration, last))
    columns = dict(tables["particles"].columns)
    columns["rlnClassNumber"] = 1 + np.minimum(np.searchsorted(edges, (np.arange(particles) + 0.5) / particles), count - 1)
    columns["rlnMaxValueProbDistribution"] = np.clip(columns["rlnMaxValueProbDistribution"] - 0.02 * columns["rlnClassNumber"], 0, 1)
    del columns["rlnRandomSubset"]
    if kind == "class2d":
        columns["rlnAngleRot"] = columns["rlnAngleTilt"] = np.zeros(particles)
    elif count > 1:
        columns["rlnAngleTilt"] = np.where(columns["rlnClassNumber"] == 2, 90.0, columns["rlnAngleTilt"])
    return tables | {"particles": Table(columns)}


def blob(number: int, box: int = BOX) -> np.ndarray:
    """A pair of Gaussian spheres whose second one moves with the class number, with a little noise."""
    z, y, x = (np.indices((box,) * 3) - box // 2) * (16.0 / box)
    turn = 0.8 * number
    second = (z - 2.5 * np.cos(turn)) ** 2 + (y - 2.5 * np.sin(turn)) ** 2 + (x - 1.0) ** 2
    noise = 0.02 * np.random.default_rng(number).normal(size=(box,) * 3)
    return (np.exp(-0.3 * (z**2 + y**2 + (x + 1.5) ** 2)) + np.exp(-0.5 * second) + noise).astype(np.float32)


def write_classes(
    folder: Path, kind: str, count: int, last: int = 6, *, particles: int = 600, kept: tuple[int, ...] = (), log: bool = True, box: int = BOX,
    marker: str = "RELION_JOB_EXIT_SUCCESS", final: bool = False,
) -> Path:
    """A folder of class2d, class3d, class3d-fixed or initialmodel; `kept`: iterations whose files are there (default: the last two)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(job_record(job=kind)))
    if log:
        (folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in class_events(kind, count, last, particles)))
    for i in kept or (last - 1, last):
        root = "run" if final and i == last else f"run_it{i:03d}"
        write_star(folder / f"{root}_model.star", class_model(kind, count, i, last, root))
        write_star(folder / f"{root}_data.star", class_particles(kind, count, i, last, particles))
        maps = [blob(k, box) * min(1.0, 0.2 + i / last) for k in range(1, count + 1)]
        if kind == "class2d":
            with StackWriter(folder / f"{root}_classes.mrcs", PIXEL) as stack:
                stack.append(np.stack([one.sum(axis=0) for one in maps]))
        for k, one in enumerate(maps if kind != "class2d" else (), 1):
            write_map(folder / f"{root}_class{k:03d}.mrc", Map(one, PIXEL * BOX / box))
    if kind == "initialmodel":
        (folder / "seeds.json").write_text(json.dumps({"fsc": [[1.0, 0.9, 0.3], [0.9, 1.0, 0.25], [0.3, 0.25, 1.0]], "resolution": [12.0, 12.5, 30]}))
    if marker:
        (folder / marker).touch()
    return folder
