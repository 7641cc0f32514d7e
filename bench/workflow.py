"""The tutorial in one command: movies to a sharpened map, with the workflow and a running job killed on the way.

    PYTHONPATH=src python bench/workflow.py MOVIES_DIR [--folder NEW] [--kill classes,refine] [STAGE.PARAMETER=VALUE ...]

MOVIES_DIR holds movie_*.tiff and gain.mrc (bench/motion.py makes them). NEW gets links to them. For each stage of --kill the workflow's process
is killed while that stage runs, then the job itself, and the same command is given again. Prints the times of all jobs and the resolution.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import verglas as vg
from verglas.io.star import read_star
from verglas.project.program import PROGRAM, environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movies", type=Path)
    parser.add_argument("change", nargs="*")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--kill", default="classes,refine")
    args = parser.parse_intermixed_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="tutorial"))
    (folder / "Movies").mkdir(parents=True)
    for one in (*args.movies.resolve().glob("movie_*.tiff"), args.movies.resolve() / "gain.mrc"):
        (folder / "Movies" / one.name).symlink_to(one)
    command = (*PROGRAM, "workflow", "run", "betagal", *args.change, "--wait")
    begun = time.monotonic()
    for stage in filter(None, args.kill.split(",")):
        whole = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
        job = kill_both(whole, folder, stage)
        print(f"{time.monotonic() - begun:6.0f} s: killed the workflow, then {job}", flush=True)
    subprocess.run(command, cwd=folder, env=environment(), check=True)
    report(folder, time.monotonic() - begun)


def kill_both(whole: "subprocess.Popen[bytes]", folder: Path, stage: str) -> str:
    """SIGKILL for the workflow's process when the stage has run for 10 s, a second later for its job, which must live then."""
    record = folder / ".verglas" / "workflows" / "betagal.json"
    while True:
        if whole.poll() is not None:
            sys.exit(f"the workflow ended with {whole.returncode} before {stage} ran")
        made = json.loads(record.read_text()).get(stage, {}).get("made") if record.exists() else None
        job = folder / made / "job.json" if made else None
        if job and job.exists() and time.time() - job.stat().st_mtime > 10.0:
            break
        time.sleep(0.2)
    whole.kill()
    whole.wait()
    time.sleep(1.0)
    process = int(json.loads(job.read_text())["process"])
    os.kill(process, signal.SIGKILL)
    return str(made)


def report(folder: Path, seconds: float) -> None:
    project = vg.open_project(folder)
    for job in project.jobs():
        print(f"  {job.name:24s} {job.process.state:10s} {job.seconds or 0:6.0f} s of its last start")
    general = read_star(project.jobs()[-1].folder / "postprocess.star")["general"].columns
    print(f"{len(project.jobs())} jobs, {seconds:.0f} s in all, {float(general['rlnFinalResolution'][0]):.2f} Å, {folder}")


if __name__ == "__main__":
    main()
