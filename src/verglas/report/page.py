"""The HTML page around the sections. Everything that came from files is escaped here."""

from datetime import datetime
from html import escape
from pathlib import Path

import numpy as np

from verglas.report.class_findings import CLASSIFICATION
from verglas.report.class_sections import class_sections
from verglas.report.data import InputFile, ReportData
from verglas.report.findings import Finding, findings
from verglas.report.micrograph_findings import CHECKS
from verglas.report.micrograph_sections import micrograph_sections
from verglas.report.micrograph_wording import micrograph_methods, micrograph_verdict, tiles
from verglas.report.sections import REFINEMENT, Card, Section
from verglas.report.wording import duration, methods_paragraph, state_words, verdict
from verglas.units import file_size

STYLE = Path(__file__).with_name("page.css")
REFRESH_SECONDS = 15


def page(data: ReportData, now: datetime) -> str:
    """The complete document."""
    found, sections = content(data)
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if data.state == "running" else ""
    title = escape(f"{data.record.job or 'job'} · {Path(data.folder).name}")
    body = header(data, found, now) + findings_html(found) + "".join(map(section_html, sections)) + run_html(data)
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in _links(sections))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{refresh}<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        'content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<style>\n{STYLE.read_text(encoding="utf-8")}</style></head>\n'
        f"<body><nav><strong>verglas</strong>{links}</nav>\n<main>\n{body}\n</main></body></html>\n"
    )


def content(data: ReportData) -> tuple[tuple[Finding, ...], list[Section]]:
    """Findings and sections of this kind of job."""
    if data.micrographs is not None:
        return findings(data, CHECKS), list(micrograph_sections(data.micrographs))
    if data.classes is not None:
        return findings(data, CLASSIFICATION), list(class_sections(data))
    return findings(data), [make(data) for make in REFINEMENT]


def _links(sections: list[Section]) -> list[tuple[str, str]]:
    return [("top", "Summary"), *((one.name, one.title) for one in sections), ("run", "What was run")]


def header(data: ReportData, found: tuple[Finding, ...], now: datetime) -> str:
    """Headline: what, state, the sentence, a few numbers."""
    rows = tiles(data, data.micrographs) if data.micrographs is not None else map_tiles(data)
    said = micrograph_verdict(data, data.micrographs, found) if data.micrographs is not None else verdict(data, found)
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    return (
        f'<header id="top"><p class="eyebrow">{escape(data.record.job or "job folder")} <span class="state '
        f'{data.state}">'
        f'{escape(state_words(data))}</span></p><h1>{escape(Path(data.folder).name)}</h1><p '
        f'class="verdict">{escape(said)}</p>'
        f'<dl class="tiles">{cells}</dl><p class="note">{escape(data.folder)} · page made '
        f'{now:%Y-%m-%d %H:%M:%S}</p></header>'
    )


def map_tiles(data: ReportData) -> tuple[tuple[str, str], ...]:
    """The numbers of a refinement or classification."""
    count = len(data.particles) or len(data.particles.origin) if data.particles is not None else _known_particles(data)
    seconds = (
        data.record.seconds
        if np.isfinite(data.record.seconds)
        else sum(one.total_seconds for one in data.iterations if np.isfinite(one.total_seconds)) or float("nan")
    )
    resolution = f"{data.resolution:.2f} Å" if np.isfinite(data.resolution) else "none yet"
    iterations = f"{data.iterations[-1].number}" if data.iterations else "none recorded"
    classes = data.classes
    return (
        ("Resolution" if classes is None or len(classes.rows) < 2 else "Best resolution", resolution),
        ("Particles", f"{count:,}" if count else "not recorded"),
        *([("Classes", f"{len(classes.rows)}")] if classes is not None else []),
        ("Iterations", iterations),
        *([("Symmetry", data.symmetry)] if classes is None or classes.dimensions == 3 else []),
        ("Time", duration(seconds)),
    )


def _known_particles(data: ReportData) -> int:
    seen = [one.particles for one in data.iterations if np.isfinite(one.particles)]
    return int(seen[-1]) if seen else 0


def findings_html(found: tuple[Finding, ...]) -> str:
    """Warnings and notes, or the sentence that there are none."""
    if not found:
        sentence = "No warnings: none of the usual signs of trouble was found."
        return f'<section class="findings"><p class="fine">{sentence}</p></section>'
    items = "".join(
        f'<li class="{row.level}"><strong>{escape(row.title)}</strong> <span>{escape(row.advice)}</span></li>'
        for row in found
    )
    return f'<section class="findings"><h2>Please note</h2><ul>{items}</ul></section>'


def section_html(section: Section) -> str:
    cards = "".join(map(card_html, section.cards))
    absent = "".join(f'<p class="absent">{escape(text)}</p>' for text in section.absent)
    title = escape(section.title)
    return f'<section id="{section.name}"><h2>{title}</h2><div class="cards">{cards}</div>{absent}</section>'


def card_html(card: Card) -> str:
    kind = "card wide" if card.wide else "card"
    title, good = escape(card.title), escape(card.good)
    return (
        f'<article class="{kind}"><h3>{title}</h3><div class="plot">{card.html}</div>'
        f'<p class="good">{good}</p></article>'
    )


def run_html(data: ReportData) -> str:
    """Provenance: methods paragraph, command, parameters, machine, inputs, what could not be read."""
    record = data.record
    methods = methods_paragraph(data) if data.micrographs is None else micrograph_methods(data, data.micrographs)
    parts = [_text("For the methods section of a paper", methods), _code("Command", record.command)]
    software = (("job", record.job), ("version", record.version), ("started", record.started))
    memory = (("peak memory", f"{record.peak_memory_gb:.2f} GiB"),) if np.isfinite(record.peak_memory_gb) else ()
    tables = (
        ("Parameters", record.params),
        ("Settings found in the STAR files", data.settings),
        ("Software and resources", (*(row for row in software if row[1]), *record.resources, *memory)),
        ("Machine", record.hardware),
    )
    parts += [_table(title, rows) for title, rows in tables if rows]
    parts.append(_inputs(record.inputs))
    if not record.params:
        parts.append(
            '<p class="absent">There is no job.json in this folder, so seeds, machine and input checksums are '
            'unknown.</p>'
        )
    parts += [f'<p class="absent">{escape(sentence)}</p>' for sentence in data.missing]
    return f'<section id="run"><h2>What was run</h2><div class="cards">{"".join(parts)}</div></section>'


def _text(title: str, text: str) -> str:
    return f'<article class="card wide"><h3>{title}</h3><p class="prose">{escape(text)}</p></article>' if text else ""


def _code(title: str, text: str) -> str:
    return f'<article class="card wide"><h3>{title}</h3><pre>{escape(text)}</pre></article>' if text else ""


def _table(title: str, rows: tuple[tuple[str, str], ...]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(value) or '–'}</td></tr>" for name, value in rows
    )
    return f'<article class="card"><h3>{title}</h3><table>{cells}</table></article>'


def _inputs(inputs: tuple[InputFile, ...]) -> str:
    if not inputs:
        return ""
    cells = "".join(
        f'<tr><td>{escape(one.path)}</td><td>{file_size(one.size)}</td><td title="{escape(one.hashed, quote=True)}"><code>'
        f"{escape(one.sha256)}</code></td></tr>"
        for one in inputs
    )
    return (
        '<article class="card wide"><h3>Input files</h3><div class="plot"><table '
        'class="inputs"><tr><th>file</th><th>size</th>'
        f"<th>sha256</th></tr>{cells}</table></div></article>"
    )
