"""One block of a STAR file as named numpy columns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Table:
    """columns: label without underscore -> (N,) int64, float64 or object (str); simple: `_label value` lines (N = 1) instead of a loop."""

    columns: dict[str, np.ndarray]
    simple: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __contains__(self, label: str) -> bool:
        return label in self.columns

    def __getitem__(self, label: str) -> np.ndarray:
        return self.columns[label]

    @classmethod
    def of_values(cls, values: dict[str, object]) -> "Table":
        """A simple block from plain Python values (bool becomes 0 or 1)."""
        return cls({label: _one(value) for label, value in values.items()}, simple=True)

    def values(self) -> dict[str, object]:
        """The only row as plain Python int, float and str."""
        return {label: column[0].item() if isinstance(column[0], np.generic) else column[0] for label, column in self.columns.items()}


def _one(value: object) -> np.ndarray:
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return np.array([value], dtype=np.int64)
    if isinstance(value, float | np.floating):
        return np.array([value], dtype=np.float64)
    column = np.empty(1, dtype=object)
    column[0] = str(value)
    return column
