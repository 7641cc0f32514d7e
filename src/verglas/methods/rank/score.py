"""The score: a small network on standardised features, trained on simulated classes only (bench/train_class_ranker.py)."""

import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from verglas.methods.rank.features import FEATURES

CLIP = 3.0
"""Standardised features are cut here, so that nothing far from what was simulated can dominate."""


@dataclass(frozen=True)
class Ranker:
    """mean, scale (F,): standardisation; layers: pairs of weights (in, out) and offsets (out,), a tanh between them."""

    mean: np.ndarray
    scale: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def score(self, values: np.ndarray) -> np.ndarray:
        """(K, F) features -> (K,) in 0..1: s = 1 / (1 + exp(-z)), z = tanh(x W1 + b1) W2 + b2."""
        x = np.clip((values - self.mean) / self.scale, -CLIP, CLIP)
        for number, (weight, offset) in enumerate(self.layers):
            x = (x if number == 0 else np.tanh(x)) @ weight + offset
        return np.asarray(1.0 / (1.0 + np.exp(-x[:, 0])))


def load_ranker() -> Ranker:
    """The one that comes with the package."""
    data = json.loads((files("verglas.methods.rank") / "weights.json").read_text(encoding="utf-8"))
    if tuple(data["features"]) != FEATURES:
        raise ValueError("weights.json was made for other features; run bench/train_class_ranker.py")
    layers = tuple((np.array(weight), np.array(offset)) for weight, offset in data["layers"])
    return Ranker(np.array(data["mean"]), np.array(data["scale"]), layers)
