"""Which files of a project a parameter can be given, and whether a text can be a value of it."""

from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.jobs.outputs import RULES, accepts
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import Option, options
from verglas.project.facts import facts_of
from verglas.project.words import REFERENCE, is_file
from verglas.types.pipeline import Node, Pipeline, Process
from verglas.web.watch import watch

MOST = 60
"""Files that are offered; the last jobs come first."""
LABELS = {
    "ctf": "CTF", "lowpass": "Low-pass", "min_fom": "Least figure of merit", "white": "Particles are bright", "threshold_sd": "Least answer",
    "max_sd": "Highest answer", "false_rate": "Share of false picks", "keep_maps": "Keep the maps of answers", "keep_bad": "Keep bad fits",
    "use_no_dw": "Without dose weighting", "use_power_spectra": "Use stored power spectra", "tilt": "Fit the tilt", "thickness": "Fit the thickness",
    "cs": "Cs", "snr": "SNR", "mtf": "MTF", "tau": "Regularisation (T)", "healpix_order": "First angular step",
    "local_from_order": "Local searches from step", "psi_step": "In-plane angular step", "initial_lowpass": "Initial low-pass",
    "absolute_greyscale": "Reference has the grey scale of the particles", "bfactor": "B-factor", "ctf_correction": "CTF correction",
}
"""Parameter -> its name on the form, where the words of the parameter itself do not tell a user what it is."""


class Offer(NamedTuple):
    """A value of a parameter, and in words what it is."""

    value: str
    words: str


def label_of(name: str) -> str:
    """soft_edge -> Soft edge."""
    words = name.rstrip("_").replace("_", " ")
    return LABELS.get(name.rstrip("_"), words[:1].upper() + words[1:])


def fits(parameter: str, node: Node) -> bool:
    """Whether a file can be this parameter; half1 and half2 take the half of their name."""
    return accepts(parameter, node) and (parameter not in ("half1", "half2") or parameter in node.name.rpartition("/")[2])


def offers(project: Project, parameter: str) -> list[Offer]:
    """Files of finished jobs, and the promise of those that are not finished yet."""
    pipeline = watch(project).now().pipeline
    made: dict[str, list[Node]] = {}
    nodes = {one.name: one for one in pipeline.nodes}
    for process, node in pipeline.outputs:
        if node in nodes:
            made.setdefault(process, []).append(nodes[node])
    found: list[Offer] = []
    for one in sorted(pipeline.processes, key=lambda process: -process.number):
        alias = f" ({one.alias.rpartition('/')[2]})" if one.alias else ""
        if one.state in ("Scheduled", "Running"):
            found += [Offer(f"{REFERENCE}{one.name}", f"{one.name}{alias}: when it has finished")] if _promises(project, one, parameter) else []
        else:
            found += [
                Offer(node.name, f"{one.name}{alias}: {node.name.rpartition('/')[2]}") for node in made.get(one.name, ()) if fits(parameter, node)
            ]
        if len(found) >= MOST:
            break
    return found[:MOST]


def _promises(project: Project, one: Process, parameter: str) -> bool:
    try:
        kind = facts_of(project.root / one.name).job
    except VerglasError:
        return False
    return any(fits(parameter, Node(name, label)) for name, label in RULES.get(kind, ()))


def uses(node: Node) -> list[tuple[str, str]]:
    """(job type, parameter) of the jobs that can be given this file, the first parameter that takes it."""
    found = []
    for job in ENTRIES:
        taking = [one for one in options(find(job).params) if is_file(one) and fits(one.name, node)]
        if taking:
            found.append((job, min(taking, key=lambda one: not one.required).name))
    return found


def choices(one: Option) -> tuple[Any, ...]:
    """The values that there are to choose from; () where the value is free."""
    if one.choices:
        return one.choices
    members = [member for member in get_args(one.annotation) if member is not type(None)] or [one.annotation]
    if get_origin(one.annotation) is Literal:
        return get_args(one.annotation)
    return tuple(value for member in members for value in get_args(member)) if all(get_origin(member) is Literal for member in members) else ()


def takes_files(one: Option) -> bool:
    """Whether it holds paths, or patterns of them."""
    return is_file(one) or one.several


def value_of(one: Option, text: Any) -> Any:
    """What a field holds as a value; None for an empty one."""
    if isinstance(text, bool) or text is None or isinstance(text, int | float):
        return text
    trimmed = str(text).strip()
    if one.several:  # commas separate them
        return [piece.strip() for piece in trimmed.split(",") if piece.strip()] or None
    return trimmed or None


def complaint(project: Project, one: Option, text: Any) -> str:
    """What is wrong with one field by itself, "" when nothing is."""
    value = value_of(one, text)
    if value is None:
        return "This is needed." if one.required else ""
    try:
        checked = TypeAdapter(one.annotation).validate_python(tuple(value) if one.several else value)
    except ValidationError:
        known = choices(one)
        return f"{value}: must be {', '.join(map(str, known)) if known else one.kind}."
    wrong = one.complaint(checked)
    if wrong:
        return wrong.removeprefix(one.flag).strip() + "."
    return _missing_file(project, value) if is_file(one) and one.name not in ("stacks", "maps") else ""


def _missing_file(project: Project, value: Any) -> str:
    """Patterns and promises are left to the job."""
    for name in value if isinstance(value, list) else str(value).split(","):
        if name == "auto" or name.startswith(REFERENCE) or set(name) & set("*?["):
            continue
        try:
            there = (project.root / name.strip()).exists()
        except (OSError, ValueError):
            there = False
        if not there:
            return f"There is no file {name} in the project. Choose one from a job, or browse."
    return ""


def producers(pipeline: Pipeline) -> dict[str, str]:
    """File -> the job that made it."""
    return {node: process for process, node in pipeline.outputs}
