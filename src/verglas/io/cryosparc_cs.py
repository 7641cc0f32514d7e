"""cryoSPARC particle files (.cs): numpy tables with names like ctf/df1_A. Read into Particles and written back.

Conventions. pose is a rotation vector, exp([pose]x) = A^T with RELION's matrix A; shift is RELION's origin in pixels of psize_A; split is the
half set from 0; exp_group_id the optics group from 0; anisomag the magnification matrix minus 1; tilt_A = Cs sin(beam tilt).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.atomic import atomic_path
from verglas.io.star_columns import factorise
from verglas.io.star_rows import text_column
from verglas.types import Defocus, ImageRefs, OpticsGroup, Particles, Poses
from verglas.units import MM, MRAD

UID = "verglasCryosparcUid"
"""Text: the numbers have 64 bits without sign."""
NEEDED = ("uid", "blob/path", "blob/idx", "blob/shape", "blob/psize_A")
CTF = {"u": "ctf/df1_A", "v": "ctf/df2_A", "angle": "ctf/df_angle_rad", "phase_shift": "ctf/phase_shift_rad", "bfactor": "ctf/bfactor",
       "scale": "ctf/scale"}
OPTICS = ("ctf/exp_group_id", "ctf/accel_kv", "ctf/cs_mm", "ctf/amp_contrast", "blob/psize_A", "blob/shape", "ctf/tilt_A", "ctf/anisomag")
UNTRANSLATED = ("ctf/trefoil_A", "ctf/tetra_A", "ctf/shift_A")

@dataclass(frozen=True)
class CsParticles:
    """dark: particles are darker than the background (blob/sign -1); remarks: what could not be kept."""

    particles: Particles
    dark: bool
    remarks: tuple[str, ...]


def read_cs(path: Path | str, passthroughs: tuple[Path, ...] = ()) -> CsParticles:
    """Particles of a .cs file, with the columns of passthrough files that it lacks (joined by uid)."""
    columns = _load(Path(path))
    for other in passthroughs:
        columns = _joined(columns, _load(other), str(other))
    missing = [name for name in (*NEEDED, *CTF.values()) if name not in columns and name not in ("ctf/bfactor", "ctf/scale")]
    if missing:
        raise InputError(f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}", where=str(path),
                         remedy="give the passthrough file of the same job too")
    n = len(columns["uid"])
    optics, optics_index = _optics(columns, str(path))
    codes, stacks = factorise(text_column(_text(name).removeprefix(">") for name in columns["blob/path"]))
    ones = {"scale": np.ones(n), "bfactor": np.zeros(n)}
    poses, number, half, told = _alignment(columns)
    extra = {UID: text_column(map(str, columns["uid"].tolist()))} | _location(columns)
    group, names = factorise(extra[L.MICROGRAPH_NAME]) if L.MICROGRAPH_NAME in extra else (codes, stacks)
    particles = Particles(
        optics, ImageRefs(stacks, codes, columns["blob/idx"].astype(np.int64)), optics_index, group, names,
        Defocus(**{field: columns[name].astype(np.float64) if name in columns else ones[field] for field, name in CTF.items()}),
        poses, half, number, np.ones(n), extra)
    dark = "blob/sign" in columns and bool((columns["blob/sign"] < 0).all())
    lost = [name for name in UNTRANSLATED if name in columns and columns[name].any()]
    return CsParticles(particles, dark, told + ((f"{', '.join(lost)} are not carried over.",) if lost else ()))


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        table = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=str(path), remedy="check the path") from error
    except ValueError as error:
        raise DataError(f"not a cryoSPARC file: {error}", where=str(path), remedy="give a .cs file of particles") from error
    if table.dtype.names is None or "uid" not in table.dtype.names:
        raise DataError("not a cryoSPARC file: no column uid", where=str(path), remedy="give a .cs file of particles")
    return {name: table[name] for name in table.dtype.names}


def _joined(columns: dict[str, np.ndarray], other: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    order = np.argsort(other["uid"])
    place = np.minimum(np.searchsorted(other["uid"][order], columns["uid"]), len(order) - 1)
    if not np.array_equal(other["uid"][order][place], columns["uid"]):
        raise InputError("does not hold all particles (by uid)", where=where, remedy="give the passthrough file of the same job")
    return columns | {name: values[order][place] for name, values in other.items() if name not in columns}


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _short(value: float) -> float:
    """The shortest number that is this one in float32: 2.7 and not 2.70000005."""
    return float(str(np.float32(value)))


def _optics(columns: dict[str, np.ndarray], where: str) -> tuple[tuple[OpticsGroup, ...], np.ndarray]:
    """One group for each set of values; its number is exp_group_id + 1 where that is enough to tell them apart."""
    n = len(columns["uid"])
    missing = [name for name in OPTICS[1:4] if name not in columns]
    if missing:
        raise InputError(f"missing column {missing[0]}", where=where, remedy="give the passthrough file of the same job too")
    absent = {"ctf/exp_group_id": np.zeros(n), "ctf/tilt_A": np.zeros((n, 2)), "ctf/anisomag": np.zeros((n, 4))}
    values = np.concatenate([np.asarray(columns.get(name, absent.get(name)), dtype=np.float64).reshape(n, -1) for name in OPTICS], axis=1)
    distinct, index = np.unique(values, axis=0, return_inverse=True)
    single = len(np.unique(distinct[:, 0])) == len(distinct)
    groups = []
    for place, (number, kv, cs, contrast, pixel, ny, nx, tilt_x, tilt_y, *magnification) in enumerate(distinct.tolist()):
        if ny != nx:
            raise DataError(f"images of {nx:g} x {ny:g} px, expected square ones", where=where, remedy="extract them again")
        tilt = tuple(float(np.arcsin(value / (cs * MM))) / MRAD if value else 0.0 for value in (tilt_x, tilt_y))
        m = np.add(magnification, (1.0, 0.0, 0.0, 1.0))
        groups.append(OpticsGroup(
            f"opticsGroup{int(number) + 1}" if single else f"opticsGroup{int(number) + 1}-{place + 1}", int(number) + 1 if single else place + 1,
            _short(kv), _short(cs), _short(contrast), _short(pixel), int(ny), _short(pixel), beam_tilt_mrad=(tilt[0], tilt[1]),
            magnification=(float(m[0]), float(m[1]), float(m[2]), float(m[3]))))
    return tuple(groups), index.reshape(-1)


def _alignment(columns: dict[str, np.ndarray]) -> tuple[Poses, np.ndarray, np.ndarray, tuple[str, ...]]:
    """(poses, class from 1, half, remarks): of the most likely class in 3D, else of the 2D alignment, else nothing."""
    n = len(columns["uid"])
    solid = [name.removesuffix("/pose") for name, values in columns.items() if name.endswith("/pose") and values.ndim == 2 and values.shape[1] == 3]
    flat = [name.removesuffix("/pose") for name, values in columns.items() if name.endswith("/pose") and values.ndim == 1]
    if not solid and not flat:
        return Poses(np.zeros((n, 3)), np.zeros((n, 2))), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), ("There are no poses.",)
    used = solid or flat[:1]
    posterior = [columns.get(f"{name}/class_posterior", np.ones(n)) for name in used]
    best = np.argmax(posterior, axis=0)

    def of(field: str) -> np.ndarray:
        return np.stack([columns[f"{name}/{field}"] for name in used])[best, np.arange(n)]

    pose = of("pose").astype(np.float64)
    origin = of("shift").astype(np.float64) * of("psize_A").astype(np.float64)[:, None]
    angles = euler(pose) if solid else np.stack([np.zeros(n), np.zeros(n), np.angle(np.exp(1j * pose))], axis=1)
    half = of("split").astype(np.int64) if f"{used[0]}/split" in columns else np.zeros(n, dtype=np.int64)
    halves = half + 1 if len(np.unique(half)) == 2 else np.zeros(n, dtype=np.int64)
    number = of("class").astype(np.int64) + 1 if f"{used[0]}/class" in columns else np.zeros(n, dtype=np.int64)
    told = () if halves.any() else ("There are no half sets (split has one value).",)
    return Poses(angles, origin), number, halves, told


def euler(pose: np.ndarray) -> np.ndarray:
    """Rotation vectors (N, 3) rad -> RELION's (rot, tilt, psi) (N, 3) rad."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where tilt is 0 only rot + psi is defined, and scipy says so
        return np.asarray(Rotation.from_rotvec(pose).as_euler("ZYZ"))


def _location(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Micrograph and place (px) of each particle, where the file holds them."""
    if "location/micrograph_path" not in columns:
        return {}
    found: dict[str, np.ndarray] = {L.MICROGRAPH_NAME: text_column(_text(name).removeprefix(">") for name in columns["location/micrograph_path"])}
    shape = columns["location/micrograph_shape"].astype(np.float64)
    for label, name, side in zip(L.COORDINATES, ("location/center_x_frac", "location/center_y_frac"), (1, 0)):
        found[label] = columns[name].astype(np.float64) * shape[:, side]
    return found


def write_cs(path: Path | str, particles: Particles, dark: bool = False) -> tuple[str, ...]:
    """Write atomically what `read_cs` reads; returns remarks on what a .cs file cannot hold. `dark`: as in CsParticles."""
    columns = _columns(particles, dark)
    table = np.zeros(len(particles), dtype=[(name, values.dtype, values.shape[1:]) for name, values in columns.items()])
    for name, values in columns.items():
        table[name] = values
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as handle:
        np.save(handle, table, allow_pickle=False)
    lost = [group.name for group in particles.optics if any(group.odd_zernike) or any(group.even_zernike)]
    return (f"Zernike coefficients of {', '.join(lost)} are not carried over.",) if lost else ()


def _columns(particles: Particles, dark: bool) -> dict[str, np.ndarray]:
    n, index = len(particles), particles.optics_index
    images = particles.images
    paths = np.array([name.encode("utf-8") for name in images.stacks])[images.stack]

    def per_group(values: list[object], kind: str = "<f4") -> np.ndarray:
        return np.array(values, dtype=kind)[index]

    optics = particles.optics
    return {
        "uid": _uids(particles),
        "blob/path": paths, "blob/idx": images.index.astype("<u4"), "blob/shape": per_group([(g.box, g.box) for g in optics], "<u4"),
        "blob/psize_A": per_group([g.pixel_size for g in optics]), "blob/sign": np.full(n, -1.0 if dark else 1.0, dtype="<f4"),
        "ctf/type": np.full(n, b"imported"), "ctf/exp_group_id": per_group([g.group - 1 for g in optics], "<u4"),
        "ctf/accel_kv": per_group([g.voltage_kv for g in optics]), "ctf/cs_mm": per_group([g.cs_mm for g in optics]),
        "ctf/amp_contrast": per_group([g.amplitude_contrast for g in optics]),
        **{name: getattr(particles.defocus, field).astype("<f4") for field, name in CTF.items()},
        "ctf/scale_const": np.zeros(n, dtype="<f4"), "ctf/shift_A": np.zeros((n, 2), dtype="<f4"),
        "ctf/tilt_A": per_group([tuple(g.cs_mm * MM * np.sin(t * MRAD) for t in g.beam_tilt_mrad) for g in optics]),
        "ctf/trefoil_A": np.zeros((n, 2), dtype="<f4"), "ctf/tetra_A": np.zeros((n, 4), dtype="<f4"),
        "ctf/anisomag": per_group([tuple(np.subtract(g.magnification, (1.0, 0.0, 0.0, 1.0))) for g in optics]),
        **_alignment_columns(particles),
    }


def _alignment_columns(particles: Particles) -> dict[str, np.ndarray]:
    """alignments3D; alignments2D where only psi is turned; nothing where there are no poses."""
    n, angles = len(particles), particles.poses.angles
    solid = bool(angles[:, :2].any() or particles.half.any())
    if not solid and not angles.any() and not particles.poses.origin.any():
        return {}
    name = "alignments3D" if solid else "alignments2D"
    pose = Rotation.from_euler("ZYZ", angles).as_rotvec() if solid else angles[:, 2]
    pixel = np.array([group.pixel_size for group in particles.optics])[particles.optics_index]
    return {
        f"{name}/split": (np.maximum(particles.half, 1) - 1).astype("<u4"),
        f"{name}/shift": (particles.poses.origin / pixel[:, None]).astype("<f4"),
        f"{name}/pose": pose.astype("<f4"),
        f"{name}/psize_A": pixel.astype("<f4"), f"{name}/alpha": np.ones(n, dtype="<f4"),
        f"{name}/class": (np.maximum(particles.class_number, 1) - 1).astype("<u4"),
        f"{name}/class_posterior": np.ones(n, dtype="<f4"), f"{name}/class_ess": np.ones(n, dtype="<f4"),
    }


def _uids(particles: Particles) -> np.ndarray:
    """(N,) uint64: those of the file that the particles came from, if all have one."""
    known = particles.extra.get(UID)
    if known is not None and all(str(value).isdigit() for value in known.tolist()):
        return np.array([int(value) for value in known.tolist()], dtype="<u8")
    return _new_uids(particles)


def _new_uids(particles: Particles) -> np.ndarray:
    """Numbers that are the same whenever the same image is written: the first 8 bytes of a hash of its name."""
    from hashlib import blake2b

    names = particles.images.stacks
    pairs = zip(particles.images.stack.tolist(), particles.images.index.tolist())
    return np.array([int.from_bytes(blake2b(f"{i}@{names[s]}".encode(), digest_size=8).digest(), "little") for s, i in pairs], dtype="<u8")
