"""Movies and micrographs: the real files of RELION 4 and 5, and round trips."""

from pathlib import Path

import numpy as np
import pytest

from verglas.errors import InputError
from verglas.io.micrographs_star import read_micrographs, write_micrographs
from verglas.testing.data import shared_data
from verglas.units import DEGREE


def test_reads_what_relion_writes_and_back(tmp_path: Path) -> None:
    found = read_micrographs(shared_data("bgal-relion4") / "micrographs_ctf.star")
    assert len(found) == 24 and not found.movies and found.defocus is not None
    assert found.optics[0].pixel_size == 0.885 and found.optics[0].voltage_kv == 200 and found.optics[0].box == 0
    assert found.defocus.u[0] == pytest.approx(10865.006836) and found.defocus.angle[0] == pytest.approx(79.130180 * DEGREE)
    write_micrographs(tmp_path / "m.star", found)
    again = read_micrographs(tmp_path / "m.star")
    assert list(again.name) == list(found.name) and set(again.extra) == set(found.extra)
    np.testing.assert_allclose(again.defocus.u, found.defocus.u)


def test_movies_know_no_defocus(tmp_path: Path) -> None:
    found = read_micrographs(shared_data("bgal-project") / "Import" / "job001" / "movies.star")
    assert found.movies and found.defocus is None and len(found) == 24 and found.optics[0].pixel_size == 0.885
    write_micrographs(tmp_path / "m.star", found.take(np.arange(3)))
    assert len(read_micrographs(tmp_path / "m.star")) == 3


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.star").write_text("data_optics\n\nloop_\n_rlnOpticsGroup #1\n1\n\ndata_particles\n\nloop_\n_rlnImageName #1\n1@a.mrcs\n")
    with pytest.raises(InputError, match="data_particles"):
        read_micrographs(tmp_path / "x.star")
