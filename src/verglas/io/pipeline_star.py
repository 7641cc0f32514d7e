"""default_pipeline.star and RELION_OUTPUT_NODES.star.

Written with the labels of RELION 4 and 5 and, in further columns, the numbers that RELION 3.1 needs: each program reads its own columns and
leaves the others. RELION 3.1 drops the labels when it writes the file again.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from verglas.errors import DataError
from verglas.io.pipeline_labels import STATES, node_label, node_number, process_label, process_number
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source
from verglas.io.star_rows import text_column
from verglas.types.pipeline import Node, Pipeline, Process, State

NONE = "None"
COUNTER = "rlnPipeLineJobCounter"
PROCESS_NAME, PROCESS_ALIAS = "rlnPipeLineProcessName", "rlnPipeLineProcessAlias"
PROCESS_TYPE, PROCESS_TYPE_NUMBER = "rlnPipeLineProcessTypeLabel", "rlnPipeLineProcessType"
PROCESS_STATE, PROCESS_STATE_NUMBER = "rlnPipeLineProcessStatusLabel", "rlnPipeLineProcessStatus"
NODE_NAME, NODE_TYPE, NODE_TYPE_NUMBER = "rlnPipeLineNodeName", "rlnPipeLineNodeTypeLabel", "rlnPipeLineNodeType"
NODE_DEPTH = "rlnPipeLineNodeTypeLabelDepth"
EDGE_FROM, EDGE_PROCESS, EDGE_TO = "rlnPipeLineEdgeFromNode", "rlnPipeLineEdgeProcess", "rlnPipeLineEdgeToNode"


def read_pipeline(path: Path | str) -> Pipeline:
    """RELION 3.1's files (numbers) and those of RELION 4 and 5 (labels); tables that are not there are empty."""
    tables, name = read_star(path), str(path)
    if "pipeline_general" not in tables:
        raise DataError(f"no block data_pipeline_general; there are {', '.join(tables) or 'none'}", where=name,
                        remedy="this is no pipeline of RELION; put back a copy, or `verglas project sync` in a folder without the file")

    def source(block: str) -> Source:
        return Source(tables.get(f"pipeline_{block}", Table({})), name, f"pipeline_{block}")

    return Pipeline(
        int(source("general").integers(COUNTER)[0]), _processes(source("processes")), _nodes(source("nodes")),
        tuple((node, _bare(process)) for node, process in _pairs(source("input_edges"), EDGE_FROM, EDGE_PROCESS)),
        tuple((_bare(process), node) for process, node in _pairs(source("output_edges"), EDGE_PROCESS, EDGE_TO)),
    )


def write_pipeline(path: Path | str, pipeline: Pipeline) -> None:
    """Write atomically; every version of RELION from 3.1 on reads it."""
    processes, nodes = pipeline.processes, pipeline.nodes
    write_star(path, {
        "pipeline_general": Table.of_values({COUNTER: pipeline.counter}),
        "pipeline_processes": Table({
            PROCESS_NAME: text_column(one.name + "/" for one in processes),
            PROCESS_ALIAS: text_column(one.alias + "/" if one.alias else NONE for one in processes),
            PROCESS_TYPE: text_column(one.type for one in processes), PROCESS_STATE: text_column(one.state for one in processes),
            PROCESS_TYPE_NUMBER: _numbers(process_number(one.type) for one in processes),
            PROCESS_STATE_NUMBER: _numbers(STATES.index(one.state) for one in processes),
        }),
        "pipeline_nodes": _node_table(nodes, depth=True),
        "pipeline_input_edges": Table({EDGE_FROM: text_column(node for node, _ in pipeline.inputs),
                                       EDGE_PROCESS: text_column(one + "/" for _, one in pipeline.inputs)}),
        "pipeline_output_edges": Table({EDGE_PROCESS: text_column(one + "/" for one, _ in pipeline.outputs),
                                        EDGE_TO: text_column(node for _, node in pipeline.outputs)}),
    })


def read_output_nodes(path: Path | str) -> tuple[Node, ...]:
    """What a finished job says that it hands on."""
    return _nodes(Source(read_star(path).get("output_nodes", Table({})), str(path), "output_nodes"))


def write_output_nodes(path: Path | str, nodes: Iterable[Node]) -> None:
    write_star(path, {"output_nodes": _node_table(tuple(nodes), depth=False)})


def _node_table(nodes: tuple[Node, ...], depth: bool) -> Table:
    columns = {NODE_NAME: text_column(one.name for one in nodes), NODE_TYPE: text_column(one.type for one in nodes)}
    columns |= {NODE_DEPTH: np.ones(len(nodes), dtype=np.int64)} if depth else {}
    return Table(columns | {NODE_TYPE_NUMBER: _numbers(node_number(one.type) for one in nodes)})


def _numbers(values: Iterable[int]) -> np.ndarray:
    return np.array(list(values), dtype=np.int64)


def _processes(source: Source) -> tuple[Process, ...]:
    if not len(source.table):
        return ()
    labelled = PROCESS_TYPE in source.table and PROCESS_STATE in source.table
    types = source.texts(PROCESS_TYPE) if labelled else [process_label(one) for one in source.integers(PROCESS_TYPE_NUMBER).tolist()]
    states = source.texts(PROCESS_STATE) if labelled else [_state(source, row, one) for row, one in enumerate(source.integers(PROCESS_STATE_NUMBER))]
    names, aliases = source.texts(PROCESS_NAME), source.texts(PROCESS_ALIAS, NONE)
    for column, values in ((PROCESS_NAME, names), (PROCESS_ALIAS, aliases)):
        wrong = next((row for row, value in enumerate(values) if leads_out(value)), None)
        if wrong is not None:
            raise DataError(f"_{column} is {values[wrong]!r}, expected a folder in the project such as Refine3D/job012/",
                            where=source.at_row(wrong), remedy="correct the value")
    for row, state in enumerate(states):
        if state not in STATES:
            raise DataError(f"_{PROCESS_STATE} is {state!r}, expected {', '.join(STATES)}", where=source.at_row(row), remedy="correct the value")
    return tuple(Process(_bare(name), kind, state, "" if alias == NONE else _bare(alias))
                 for name, kind, state, alias in zip(names, types, states, aliases))


def leads_out(name: str) -> bool:
    """Whether a name means another place than one below its folder. Jobs and their second names are moved and removed by them."""
    return not name.strip("/.") or name.startswith("/") or ".." in name.split("/") or not name.isprintable()


def _state(source: Source, row: int, number: int) -> State:
    if not 0 <= number < len(STATES):
        raise DataError(f"_{PROCESS_STATE_NUMBER} is {number}, expected 0 to {len(STATES) - 1}", where=source.at_row(row), remedy="correct the value")
    return STATES[number]


def _nodes(source: Source) -> tuple[Node, ...]:
    if not len(source.table):
        return ()
    types = source.texts(NODE_TYPE) if NODE_TYPE in source.table else [node_label(one) for one in source.integers(NODE_TYPE_NUMBER).tolist()]
    return tuple(Node(name, kind) for name, kind in zip(source.texts(NODE_NAME), types))


def _pairs(source: Source, first: str, second: str) -> list[tuple[str, str]]:
    return list(zip(source.texts(first), source.texts(second))) if len(source.table) else []


def _bare(name: str) -> str:
    return name.rstrip("/")
