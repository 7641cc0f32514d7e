"""Model, optimiser, sampling, postprocess, job and MTF files of RELION 3.1 to 5: nothing lost, nothing needed missing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io import job_star, mtf, optimiser_star, postprocess_star, sampling_star
from verglas.io.model_star import ModelStar, model_blocks, noise_table, read_model, write_model
from verglas.io.star import Table, read_star, write_star
from verglas.testing.data import shared_data

REFINE5, REFINE31, STA = "bgal-relion5-refine", "bgal-refine3d", "parsers/relion5-sta-project/skeleton_project"
MODELS = [f"{REFINE5}/run_it001_half1_model.star", f"{REFINE5}/run_it008_half2_model.star", f"{REFINE5}/run_model.star",
          f"{REFINE31}/run_it016_half1_model.star", "bgal-project/Class2D/job010/run_it000_model.star", f"{STA}/Class3D/job017/run_it025_model.star"]
OPTIMISERS = [f"{REFINE5}/run_it003_optimiser.star", f"{REFINE5}/run_optimiser.star", f"{REFINE31}/run_it016_optimiser.star",
              "parsers/starfile-tests/run_it025_optimiser_2D.star", "parsers/starfile-tests/run_it025_optimiser_3D.star"]
SAMPLINGS = [f"{REFINE5}/run_it003_sampling.star", f"{REFINE31}/run_it016_sampling.star", "bgal-project/Class2D/job010/run_it025_sampling.star"]
POSTS = [f"{REFINE5}/postprocess.star", f"{STA}/PostProcess/job022/postprocess.star", "parsers/starfile-tests/postprocess.star"]
JOBS = ["bgal-project/Extract/job009/job.star", f"{STA}/Refine3D/job023/job.star", "bgal-relion4/job.star"]


def assert_nothing_lost(before: Path, after: Path) -> None:
    a, b = read_star(before), read_star(after)
    assert set(a) == set(b)
    for block, table in a.items():
        assert list(table.columns) == list(b[block].columns), block
        for label, column in table.columns.items():
            np.testing.assert_array_equal(column, b[block][label], err_msg=f"{block} {label}")


@pytest.mark.parametrize(("name", "read", "write"), [
    *((name, read_model, write_model) for name in MODELS),
    *((name, optimiser_star.read_optimiser, optimiser_star.write_optimiser) for name in OPTIMISERS),
    *((name, sampling_star.read_sampling, sampling_star.write_sampling) for name in SAMPLINGS),
    *((name, postprocess_star.read_postprocess, postprocess_star.write_postprocess) for name in POSTS),
    *((name, job_star.read_job, job_star.write_job) for name in JOBS),
])
def test_round_trip(tmp_path: Path, name: str, read: Callable[[Path], object], write: Callable[[Path, object], None]) -> None:
    source = shared_data(name)
    write(tmp_path / "x.star", read(source))
    assert_nothing_lost(source, tmp_path / "x.star")


def test_model_of_a_half() -> None:
    model = read_model(shared_data(f"{REFINE5}/run_it008_half1_model.star"))
    assert model.general["rlnOriginalImageSize"] == 64 and model.general["rlnCurrentResolution"] == 11.924211
    assert len(model.class_shells) == 1 and len(model.class_shells[0]) == 33 and len(model.groups) == 10
    assert model.groups["rlnGroupName"][0] == "Movies/20170629_00021_frameImage.mrc"
    assert len(model.optics_groups) == 1 and model.optics_groups[0]["rlnSigma2Noise"][0] == 3.833437e-4
    assert len(model.pdf_orient) == 1 and model.pdf_orient[0].sum() == pytest.approx(1.0, abs=1e-4) and not model.other
    directions = sampling_star.read_sampling(shared_data(f"{REFINE5}/run_it008_sampling.star")).directions
    assert directions.shape == (len(model.pdf_orient[0]), 2) and directions[0].tolist() == [45.0, 80.405932]


def test_models_of_relion_31_have_noise_by_group() -> None:
    model = read_model(shared_data(f"{REFINE31}/run_it016_half1_model.star"))
    assert len(model.group_noise) == 24 and not model.optics_groups


def test_two_dimensional_models_have_no_directions() -> None:
    model = read_model(shared_data("bgal-project/Class2D/job010/run_it000_model.star"))
    assert len(model.class_shells) == 50 and model.pdf_orient == ()
    assert sampling_star.read_sampling(shared_data(SAMPLINGS[2])).directions.shape == (0, 2)


def test_noise_table_holds_positive_shells_only() -> None:
    table = noise_table(np.array([1.0, 0.0, 3.0]), 4, 2.5)
    assert table["rlnSpectralIndex"].tolist() == [0, 2] and table["rlnResolution"].tolist() == [0.0, 0.2]
    assert table["rlnSigma2Noise"].tolist() == [1, 3]


def drop(table: Table, label: str) -> Table:
    return Table({key: column for key, column in table.columns.items() if key != label}, table.simple)


@pytest.mark.parametrize(("block", "label"), [
    ("model_general", "rlnAveragePmax"), ("model_classes", "rlnReferenceImage"), ("model_class_1", "rlnSsnrMap"),
    ("model_groups", "rlnGroupScaleCorrection"), ("model_optics_group_1", "rlnSigma2Noise"),
])
def test_what_relion_needs_is_needed_in_both_directions(tmp_path: Path, block: str, label: str) -> None:
    good = read_model(shared_data(MODELS[1]))
    tables = model_blocks(good)
    write_star(tmp_path / "x.star", tables | {block: drop(tables[block], label)})
    with pytest.raises(VerglasError, match=f"missing column _{label}"):
        read_model(tmp_path / "x.star")
    with pytest.raises(VerglasError, match=f"missing column _{label}"):
        write_model(tmp_path / "y.star", without(good, block, label))
    assert not (tmp_path / "y.star").exists()


def without(model: ModelStar, block: str, label: str) -> ModelStar:
    match block:
        case "model_general":
            return replace(model, general={key: value for key, value in model.general.items() if key != label})
        case "model_classes":
            return replace(model, classes=drop(model.classes, label))
        case "model_class_1":
            return replace(model, class_shells=(drop(model.class_shells[0], label),))
        case "model_groups":
            return replace(model, groups=drop(model.groups, label))
        case _:
            return replace(model, optics_groups=(drop(model.optics_groups[0], label),))


def test_a_class_without_spectra(tmp_path: Path) -> None:
    tables = model_blocks(read_model(shared_data(MODELS[1])))
    del tables["model_class_1"]
    write_star(tmp_path / "x.star", tables)
    with pytest.raises(VerglasError, match="no block data_model_class_1; there are data_model_general"):
        read_model(tmp_path / "x.star")


def test_optimiser_needs_its_labels(tmp_path: Path) -> None:
    values = dict(optimiser_star.read_optimiser(shared_data(OPTIMISERS[0])).values)
    assert values["rlnModelStarFile2"] == "ref/run_it003_half2_model.star" and values["rlnSgdStepsizeScheme"] == ""
    del values["rlnHasConverged"]
    with pytest.raises(VerglasError, match="missing column _rlnHasConverged"):
        optimiser_star.write_optimiser(tmp_path / "x.star", optimiser_star.OptimiserStar(values))


def test_three_dimensional_sampling_needs_its_order(tmp_path: Path) -> None:
    sampling = sampling_star.read_sampling(shared_data(SAMPLINGS[0]))
    general = {key: value for key, value in sampling.general.items() if key != "rlnHealpixOrder"}
    with pytest.raises(VerglasError, match="missing column _rlnHealpixOrder"):
        sampling_star.write_sampling(tmp_path / "x.star", replace(sampling, general=general))


def test_a_table_where_single_values_are_expected(tmp_path: Path) -> None:
    table = Table.of_values(dict(optimiser_star.read_optimiser(shared_data(OPTIMISERS[0])).values))
    write_star(tmp_path / "x.star", {"optimiser_general": Table({label: np.repeat(column, 2) for label, column in table.columns.items()})})
    with pytest.raises(VerglasError, match="2 rows, expected one value per label"):
        optimiser_star.read_optimiser(tmp_path / "x.star")


def test_fsc_xml(tmp_path: Path) -> None:
    resolution, fsc = postprocess_star.read_fsc_xml(shared_data(f"{REFINE5}/postprocess_fsc.xml"))
    table = postprocess_star.read_postprocess(shared_data(POSTS[0])).fsc
    np.testing.assert_allclose(fsc, table["rlnFourierShellCorrelationCorrected"], atol=1e-5)
    postprocess_star.write_fsc_xml(tmp_path / "x.xml", resolution, fsc, "a <b> & c")
    again = postprocess_star.read_fsc_xml(tmp_path / "x.xml")
    np.testing.assert_allclose(again, (resolution, fsc), rtol=1e-5)
    (tmp_path / "y.xml").write_text("<fsc>")
    with pytest.raises(VerglasError, match="not an FSC curve"):
        postprocess_star.read_fsc_xml(tmp_path / "y.xml")


def test_job_options_stay_text(tmp_path: Path) -> None:
    options = {"sym_name": "D2", "nr_mpi": "1", "other_args": "", "fn_mask": "a b.mrc", "digits": "007"}
    job = job_star.JobStar("relion.refine3d", options, is_continue=True)
    job_star.write_job(tmp_path / "job.star", job)
    assert job_star.read_job(tmp_path / "job.star") == job


def test_mtf(tmp_path: Path) -> None:
    resolution, values = mtf.read_mtf(shared_data("bgal-project/mtf_k2_200kV.star"))
    assert resolution[0] == 0 and values[0] == 1 and resolution[-1] == pytest.approx(0.5) and (np.diff(resolution) > 0).all()
    wrong: list[tuple[dict[str, np.ndarray], str]] = [
        ({"rlnMtfValue": -values}, "expected a value between 0 and 1"), ({"rlnResolutionInversePixel": resolution[::-1]}, "does not rise"),
    ]
    for column, match in wrong:
        write_star(tmp_path / "x.star", {"": Table({"rlnResolutionInversePixel": resolution, "rlnMtfValue": values} | column)})
        with pytest.raises(VerglasError, match=match):
            mtf.read_mtf(tmp_path / "x.star")
    write_star(tmp_path / "x.star", {"": Table({"a": values})})
    with pytest.raises(VerglasError, match="no table with a column _rlnResolutionInversePixel"):
        mtf.read_mtf(tmp_path / "x.star")
