"""Trains the class ranker on simulated 2D classifications and writes src/verglas/methods/rank/weights.json. About 3 minutes on 2 cores.

    python bench/train_class_ranker.py --write | --no-write [--check CLASS2D_FOLDER GOOD_PARTICLES.star]

Each simulated job has one body (the built-in phantom, or lumps, rods, rings and shells of blobs), one mask, one noise level, one limit of
resolution and 12 to 60 classes of three kinds: good (one whole body, centred, small spread of poses), poor (the body is there but
smeared, mixed or half lost in noise; label 0.5) and bad (label 0: averages of noise, shapeless blobs, bodies at the rim, neighbours that
overlap, carbon edges, ice, spokes). A class average is the mean over poses, plus noise by its number of particles, through a Wiener filter.
Held out: bodies of families and seeds that training never saw. `--check` measures on a real classification; its labels train nothing.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from verglas.core.rotations import random_rotations
from verglas.methods.rank import FEATURES, Ranker, disc_radius, features, prepare
from verglas.methods.simulate import phantom_atoms
from verglas.methods.simulate.atoms import density

WEIGHTS = Path(__file__).parents[1] / "src/verglas/methods/rank/weights.json"
GRID = 48
"""Voxels of a body's map, which spans it; images have 64 px."""
BOX = 64
AXIS = np.arange(BOX) - BOX // 2
R = np.hypot(AXIS[:, None], AXIS)
K = np.hypot(np.fft.fftfreq(BOX)[:, None], np.fft.fftfreq(BOX)) * BOX
SYMMETRIES = ("C1", "C1", "C1", "C2", "C3", "C4", "D2", "D3", "D7", "O")


def protein(rng: np.random.Generator) -> np.ndarray:
    """The built-in phantom in a box that it just fills."""
    atoms = phantom_atoms(str(rng.choice(SYMMETRIES)), float(np.exp(rng.uniform(np.log(60), np.log(900)))), int(rng.integers(1, 10**6)))
    return density(atoms, GRID, atoms.diameter / 0.92 / GRID).data


def lumps(rng: np.random.Generator) -> np.ndarray:
    """Gaussian balls along a line, a ring, a plane or in a heap, with holes."""
    axis = (np.arange(GRID) - GRID // 2) / (0.46 * GRID)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    kind, n = rng.integers(4), int(rng.integers(4, 40))
    t = rng.uniform(-0.75, 0.75, (n, 3))
    if kind == 0:
        t *= [1.0, 0.25, 0.25]
    elif kind == 1:
        turn = rng.uniform(0, 2 * np.pi, n)
        t = np.stack([0.6 * np.cos(turn), 0.6 * np.sin(turn), 0.3 * t[:, 2]], 1)
    elif kind == 2:
        t *= [1.0, 0.8, 0.2]
    t = t[np.linalg.norm(t, axis=1) < 0.85]
    out = np.zeros((GRID,) * 3)
    for centre in t if len(t) else np.zeros((1, 3)):
        width = rng.uniform(0.05, 0.25)
        out += np.exp(-((grid - centre) ** 2).sum(-1) / (2 * width**2)) * rng.choice([1.0, 1.0, 1.0, -0.4])
    return np.maximum(out, 0)


TILTS = np.array([0.0, *[6.0] * 4, *[15.0] * 4, *[35.0] * 5])
"""Degrees; tilts of the projections around each view of a bank."""


def bank(rng: np.random.Generator, body: np.ndarray, views: int = 20) -> np.ndarray:
    """(views, 14, 48, 48): projections in random directions, each with others tilted from it by about TILTS."""
    axis = torch.linspace(-1, 1, GRID)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")[::-1], -1)
    volume = torch.from_numpy(body.astype(np.float32))[None, None]
    central = random_rotations(views, torch.Generator().manual_seed(int(rng.integers(2**31)))).numpy()
    out = np.empty((views, len(TILTS), GRID, GRID), dtype=np.float32)
    for v in range(views):
        for t, tilt in enumerate(TILTS):
            vector = rng.normal(0, np.deg2rad(tilt) + 1e-9, 2)
            skew = np.array([[0, 0, vector[1]], [0, 0, -vector[0]], [-vector[1], vector[0], 0]])
            rotation = torch.from_numpy((torch.linalg.matrix_exp(torch.from_numpy(skew)).numpy() @ central[v]).astype(np.float32))
            out[v, t] = torch.nn.functional.grid_sample(volume, (points @ rotation)[None], align_corners=True)[0, 0].sum(0).numpy()
    return out


@dataclass(frozen=True)
class Job:
    """One simulated classification. views: bank of projections; size: px of the body's diameter; radius: px of the mask; limit: shell of
    the band; noise: per particle; halo: lost low frequencies; level: offset of the solvent; tau: of the Wiener filter."""

    views: np.ndarray
    size: float
    radius: float
    limit: float
    noise: float
    halo: float
    level: float
    tau: float


def new_job(rng: np.random.Generator, banks: list[np.ndarray]) -> Job:
    radius = rng.uniform(25, 31)
    views, noise, tau = banks[rng.integers(len(banks))], np.exp(rng.uniform(np.log(2), np.log(10))), np.exp(rng.uniform(np.log(0.5), np.log(4)))
    return Job(views, 2 * radius * rng.uniform(0.5, 0.98), radius, rng.uniform(7, 24), noise, rng.uniform(0, 0.9), rng.uniform(-0.3, 0.3), tau)


def view(rng: np.random.Generator, job: Job, tilt: float, psi: float) -> np.ndarray:
    """(64, 64): mean over tilts up to about `tilt` and turns in the plane with sd `psi` degrees; mean 1 inside the body."""
    near = job.views[rng.integers(len(job.views)), np.flatnonzero(max(tilt, 1) >= TILTS)]
    if tilt > 50:
        near = job.views[rng.integers(len(job.views), size=6), 0]
    image = np.zeros((BOX, BOX))
    step, start = (GRID - 1) / job.size, rng.uniform(0, 2 * np.pi)
    for one, turn in zip(near, np.deg2rad(rng.normal(0, psi, len(near))) + start):
        y, x = step * (AXIS[:, None] * np.cos(turn) + AXIS * np.sin(turn)), step * (AXIS * np.cos(turn) - AXIS[:, None] * np.sin(turn))
        image += ndimage.map_coordinates(one, [y + (GRID - 1) / 2, x + (GRID - 1) / 2], order=1)
    return image / max(float(image[image > 0.1 * image.max()].mean()), 1e-6)


def smooth_noise(rng: np.random.Generator, shells: float) -> np.ndarray:
    """Random field of unit variance with power falling as exp(-k / shells)."""
    field = np.fft.ifft2(np.fft.fft2(rng.normal(0, 1, (BOX, BOX))) * np.exp(-K / (2 * shells))).real
    return field / field.std()


def averaged(rng: np.random.Generator, job: Job, signal: np.ndarray, particles: float, bias: float = 0.0) -> np.ndarray:
    """The class average of a mean signal: halo of the missing low frequencies, noise / sqrt(n), Wiener filter by shells, band limit, mask.

    `bias`: power that the reference has lent to the noise, relative to the noise, at low frequency.
    """
    ft = np.fft.fft2(signal) * (1 - job.halo * np.exp(-(K**2) / (2 * 1.3**2)))
    noise = np.fft.fft2(rng.normal(0, job.noise / np.sqrt(particles), (BOX, BOX)))
    shell = np.rint(K).astype(int)
    size = np.bincount(shell.ravel())
    s = np.bincount(shell.ravel(), (np.abs(ft) ** 2).ravel()) / size
    n = np.bincount(shell.ravel(), (np.abs(noise) ** 2).ravel()) / size
    s = s + bias * n * np.exp(-np.arange(len(s)) / rng.uniform(1.5, 5))
    weight = job.tau * s / (job.tau * s + n + 1e-12)
    band = np.clip((job.limit - K) / 2 + 0.5, 0, 1)
    image = np.fft.ifft2((ft + noise) * weight[shell] * band).real
    spread = image[job.radius > R].std()
    rim = (job.radius > R) & (0.8 * job.radius < R)
    edge = np.clip((job.radius - R) / rng.uniform(1, 5), 0, 1)
    return (image - image[rim].mean() + job.level * spread * rng.uniform(0, 1)) * edge


def blurred(image: np.ndarray, job: Job, share: float) -> np.ndarray:
    """Spread of the origins by this share of the body's diameter."""
    return ndimage.gaussian_filter(image, share * job.size)


def moved(image: np.ndarray, distance: float, angle: float) -> np.ndarray:
    return ndimage.shift(image, (distance * np.sin(angle), distance * np.cos(angle)), order=1)


def neighbours(rng: np.random.Generator, job: Job) -> np.ndarray:
    """What lies around a particle, smeared over angles."""
    if rng.random() < 0.5:
        return np.zeros((BOX, BOX))
    ring = np.exp(-(((R - job.size * rng.uniform(0.95, 1.3)) / (0.25 * job.size)) ** 2))
    other = moved(blurred(view(rng, job, 30, 60), job, 0.1), job.size * rng.uniform(0.9, 1.2), rng.uniform(0, 2 * np.pi))
    return rng.uniform(0, 0.15) * ring + rng.uniform(0, 0.3) * other


def good(rng: np.random.Generator, job: Job) -> np.ndarray:
    share = rng.uniform(0.65, 1.0)
    signal = share * blurred(view(rng, job, rng.uniform(2, 14), rng.uniform(1, 7)), job, rng.uniform(0.005, 0.03))
    signal += (1 - share) * blurred(view(rng, job, 60, 60), job, 0.06)
    signal += neighbours(rng, job)
    signal = moved(signal, abs(rng.normal(0, 0.025)) * job.size, rng.uniform(0, 2 * np.pi))
    return averaged(rng, job, signal, np.exp(rng.uniform(np.log(80), np.log(2000))))


def poor(rng: np.random.Generator, job: Job) -> np.ndarray:
    share = rng.uniform(0.25, 0.8)
    signal = share * blurred(view(rng, job, rng.uniform(12, 35), rng.uniform(6, 25)), job, rng.uniform(0.02, 0.09))
    signal += (1 - share) * blurred(view(rng, job, 80, 80), job, rng.uniform(0.04, 0.15))
    signal = moved(signal, abs(rng.normal(0, 0.05)) * job.size, rng.uniform(0, 2 * np.pi)) + neighbours(rng, job)
    return averaged(rng, job, signal + rng.uniform(0, 0.15) * smooth_noise(rng, 2), np.exp(rng.uniform(np.log(20), np.log(300))), rng.uniform(0, 1))


def bad(rng: np.random.Generator, job: Job) -> np.ndarray:
    few = np.exp(rng.uniform(np.log(8), np.log(300)))
    turn, zero = rng.uniform(0, 2 * np.pi), np.zeros((BOX, BOX))
    match rng.integers(8):
        case 0:
            return averaged(rng, job, zero, few, rng.uniform(0.3, 4))
        case 1:
            along, across = AXIS[:, None] * np.cos(turn) + AXIS * np.sin(turn), AXIS * np.cos(turn) - AXIS[:, None] * np.sin(turn)
            stretched = np.hypot(along / rng.uniform(0.6, 1), across)
            blob = np.exp(-((stretched / (job.size * rng.uniform(0.2, 0.6))) ** rng.uniform(1.5, 4)))
            return averaged(rng, job, blob * rng.uniform(0.3, 1) + rng.uniform(0, 0.2) * smooth_noise(rng, 2), few * 3, rng.uniform(0, 2))
        case 2:
            signal = moved(blurred(view(rng, job, 15, 10), job, 0.04), rng.uniform(0.3, 0.8) * job.radius, turn)
            return averaged(rng, job, signal, few, rng.uniform(0, 1))
        case 3:
            both = [moved(blurred(view(rng, job, 20, 15), job, 0.05), rng.uniform(0.3, 0.6) * job.size, turn + k * np.pi) for k in (0, 1)]
            more = moved(view(rng, job, 30, 30), job.size * rng.uniform(0.4, 0.9), turn + rng.uniform(1, 2))
            return averaged(rng, job, both[0] + rng.uniform(0.5, 1) * both[1] + rng.uniform(0, 1) * more, few, rng.uniform(0, 1))
        case 4:
            distance = AXIS[:, None] * np.sin(turn) + AXIS * np.cos(turn) - rng.uniform(-0.5, 0.9) * job.radius
            step = 1 / (1 + np.exp(-distance / rng.uniform(0.5, 4))) + rng.uniform(0, 2) * np.exp(-((distance / rng.uniform(1, 4)) ** 2))
            return averaged(rng, job, step * rng.choice([-1, 1]) * rng.uniform(0.5, 3) + 0.3 * smooth_noise(rng, 4), few, rng.uniform(0, 1))
        case 5:
            place = moved(np.exp(-((R / (job.radius * rng.uniform(0.15, 0.5))) ** 4)), rng.uniform(0.4, 1.0) * job.radius, turn)
            return averaged(rng, job, place * rng.choice([-1.5, 1, 2, 4]) + 0.4 * smooth_noise(rng, 3), few, rng.uniform(0, 1))
        case 6:
            angle = np.arctan2(AXIS[:, None], AXIS)
            fan = np.cos(angle * rng.integers(10, 40)) * np.exp(-(((angle - turn + np.pi) % (2 * np.pi) - np.pi) ** 2) / rng.uniform(0.05, 1.5))
            body = rng.uniform(0, 0.7) * blurred(view(rng, job, 40, 40), job, 0.1)
            return averaged(rng, job, body + fan * (R / job.radius) ** rng.uniform(0.5, 2) * rng.uniform(0.2, 1.5) + 0.2 * smooth_noise(rng, 2), few)
        case _:
            body = rng.uniform(0.1, 0.5) * blurred(view(rng, job, 90, 90), job, rng.uniform(0.12, 0.3))
            return averaged(rng, job, body + rng.uniform(0.1, 0.4) * smooth_noise(rng, rng.uniform(1, 4)), few, rng.uniform(0.2, 2))


HIDDEN, DECAY = 16, 0.3
KINDS = ((good, 1.0), (poor, 0.5), (bad, 0.0))


def simulate(rng: np.random.Generator, banks: list[np.ndarray], jobs: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """(features, labels, images of the first jobs)."""
    found, labels, shown = [], [], []
    for number in range(jobs):
        job, mix = new_job(rng, banks), rng.dirichlet([1.5, 1.0, 1.5])
        kinds = [KINDS[k] for k in rng.choice(3, int(rng.integers(12, 60)), p=mix)]
        radius = job.radius * rng.uniform(0.97, 1.04)
        images = np.array([prepare(make(rng, job), radius) for make, _ in kinds])
        found.append(features(images))
        labels.append([label for _, label in kinds])
        if number < 6:
            shown.append(images[np.argsort([-label for _, label in kinds])])
    return np.concatenate(found), np.concatenate(labels), shown


def train(x: np.ndarray, y: np.ndarray, hidden: int, decay: float, seed: int = 0) -> Ranker:
    """Cross entropy with soft labels, weight decay, Adam."""
    torch.manual_seed(seed)
    blank = Ranker(x.mean(0), x.std(0) + 1e-6, ())
    data = torch.from_numpy(np.clip((x - blank.mean) / blank.scale, -3, 3)).float()
    layers = [torch.nn.Linear(x.shape[1], hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 1)] if hidden else [torch.nn.Linear(x.shape[1], 1)]
    model = torch.nn.Sequential(*layers)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=decay)
    target = torch.from_numpy(y).float()
    for step in range(1500):
        rows = torch.randint(len(data), (512,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(data[rows])[:, 0], target[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        optimiser.param_groups[0]["lr"] = 5e-3 * (1 - step / 1500)
    linear = [one for one in model if isinstance(one, torch.nn.Linear)]
    weights = tuple((one.weight.detach().double().numpy().T, one.bias.detach().double().numpy()) for one in linear)
    return Ranker(blank.mean, blank.scale, weights)


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve = chance that a positive one scores above a negative one."""
    rank = np.argsort(np.argsort(score)) + 1
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def told(name: str, ranker: Ranker, x: np.ndarray, y: np.ndarray) -> None:
    score = ranker.score(x)
    clear, kinds = y != 0.5, (("good", y > 0.5), ("poor", y == 0.5), ("bad", y < 0.2))
    print(f"{name}: AUC good/bad {auc(score[clear], y[clear] > 0.5):.4f}, good/rest {auc(score, y > 0.5):.4f}, "
          f"good or poor/bad {auc(score, y > 0.2):.4f}")
    for limit in (0.5, 0.6, 0.7):
        print(f"  score >= {limit}: " + ", ".join(f"{100 * (score[rows] >= limit).mean():.1f} % of the {kind}" for kind, rows in kinds), flush=True)


def save(ranker: Ranker, path: Path) -> None:
    rounded = {"mean": ranker.mean, "scale": ranker.scale}
    data = {"features": FEATURES, **{name: np.round(value, 6).tolist() for name, value in rounded.items()},
            "layers": [[np.round(weight, 5).tolist(), np.round(offset, 5).tolist()] for weight, offset in ranker.layers]}
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def check(ranker: Ranker, folder: Path, good_particles: Path) -> None:
    """Recall and precision of the particles of classes above a score, on a classification by RELION."""
    from verglas.io.mrc import read_volume
    from verglas.io.star import read_star

    images = read_volume(next(folder.glob("run_it*_classes.mrcs")))[0]
    score = ranker.score(features(np.array([prepare(image, disc_radius(images)) for image in images])))
    table = read_star(next(folder.glob("run_it*_data.star")))["particles"]
    known = set(read_star(good_particles)["particles"]["rlnImageName"])
    real = np.array([name in known for name in table["rlnImageName"]])
    mine = score[table["rlnClassNumber"] - 1]
    for limit in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        kept = mine >= limit
        print(f"{folder.name}: score >= {limit}: {(score >= limit).sum()} of {len(score)} classes, {kept.sum()} particles, "
              f"recall {real[kept].sum() / real.sum():.3f}, precision {real[kept].mean() if kept.any() else 0:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, help="replace the weights of the package, or only measure")
    parser.add_argument("--check", nargs=2, type=Path)
    parser.add_argument("--jobs", type=int, default=120)
    parser.add_argument("--bodies", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="where features are kept between trials")
    given = parser.parse_args()
    if given.write is None:
        print("bench/train_class_ranker.py: skipped, give --write or --no-write")
        raise SystemExit
    torch.set_num_threads(1)
    rng = np.random.default_rng(7)
    if given.keep is not None and given.keep.exists():
        kept = np.load(given.keep)
        sets = [(kept[f"x{i}"], kept[f"y{i}"]) for i in range(3)]
    else:
        families = [[bank(rng, protein(rng)) for _ in range(given.bodies)], [bank(rng, lumps(rng)) for _ in range(given.bodies // 2)]]
        cut = 2 * given.bodies // 3, given.bodies // 3
        bodies = families[0][: cut[0]] + families[1][: cut[1]], families[0][cut[0] :], families[1][cut[1] :]
        made = [simulate(rng, banks, jobs) for banks, jobs in zip(bodies, (given.jobs, given.jobs // 4, given.jobs // 4))]
        sets = [(x, y) for x, y, _ in made]
        if given.keep is not None:
            np.savez(given.keep, **{f"x{i}": x for i, (x, _) in enumerate(sets)}, **{f"y{i}": y for i, (_, y) in enumerate(sets)})
            np.savez(given.keep.with_suffix(".images.npz"), *made[0][2])
    print([len(x) for x, _ in sets], "classes: training, held out proteins, lumps")
    for hidden, decay in ((0, 0.01), (HIDDEN, DECAY)):
        ranker = train(*sets[0], hidden, decay)
        told(f"{hidden} hidden, proteins held out", ranker, *sets[1])
        told(f"{hidden} hidden, lumps held out", ranker, *sets[2])
    if given.check:
        check(ranker, *given.check)
    if given.write:
        save(ranker, WEIGHTS)
