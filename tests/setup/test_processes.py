import io
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from dashboard.launch import lifeline, processes
from dashboard.launch.processes import (
    ProcessEnded,
    Processes,
    StopRequested,
    commands_of,
    next_pause,
)
from tests.processes.crew import free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
LASTING = "exec sleep 1000"


def write_procfile(folder: Path, **scripts: str) -> Path:
    for name, script in scripts.items():
        (folder / f"{name}.sh").write_text(f"{script}\n")
    procfile = folder / "Procfile"
    procfile.write_text("".join(f"{name}: sh {name}.sh\n" for name in scripts))
    return procfile


@pytest.fixture
def crew(tmp_path):
    """A function that makes Processes from a Procfile in which each name runs the given script."""

    def make(output: io.TextIOBase | None = None, **scripts: str) -> Processes:
        procfile = write_procfile(tmp_path, **scripts)
        return Processes(procfile, os.environ, output or io.StringIO())

    return make


def is_gone(pid: int) -> bool:
    """Whether the process ends within 20 s, as the lifeline may only just have started."""
    try:
        process = psutil.Process(pid)
        gone, _ = psutil.wait_procs([process], timeout=20)
        return bool(gone) or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def written(path: Path, lines: int = 1) -> bool:
    return path.exists() and path.read_text().count("\n") >= lines


def run(processes: Processes) -> None:
    """Starts all processes and waits as though they were never ready."""
    with processes:
        processes.start(*processes.commands)
        processes.wait_until(lambda: False, seconds=30)


def run_until(processes: Processes, is_done) -> None:
    """Keeps the processes running until `is_done`."""

    def watch() -> None:
        wait_until(is_done, seconds=20, what="what the processes write")
        os.kill(os.getpid(), signal.SIGTERM)

    with processes:
        processes.start(*processes.commands)
        threading.Thread(target=watch, daemon=True).start()
        with pytest.raises(StopRequested):
            processes.wait()


def test_a_process_that_ends_while_starting_is_named_with_its_code_and_last_line(crew):
    started = crew(web=LASTING, worker="echo no database; exit 3")

    with pytest.raises(ProcessEnded) as ended:
        run(started)

    assert str(ended.value) == (
        "The worker process ended (3), so Batchboard stopped. Its last line: no database"
    )


def test_a_killed_process_is_named_with_the_signal(crew):
    started = crew(web="kill -KILL $$")

    with pytest.raises(ProcessEnded, match="web process was killed by SIGKILL"):
        run(started)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_each_way_of_stopping_leaves_no_process_behind(crew, tmp_path, name):
    noted = tmp_path / "pid"
    started = crew(web=f"sleep 1000 & echo $! > {noted}; kill -{name} $PPID; wait")

    with pytest.raises(StopRequested):
        run(started)

    assert is_gone(int(noted.read_text()))


def test_a_process_gets_the_time_it_needs_to_end(crew, tmp_path):
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    slow = (
        f"trap 'sleep 0.5; echo > {ended}; exit' TERM; echo > {ready}; while :; do sleep 0.1; done"
    )

    with crew(web=slow) as started:
        started.start("web")
        assert started.wait_until(lambda: written(ready), seconds=10)

    assert written(ended)


def test_a_procfile_command_runs_without_a_shell_around_it(tmp_path):
    procfile, noted = tmp_path / "Procfile", tmp_path / "pid"
    # dash replaces itself with the last command, except when there is a variable to expand.
    program = (
        f"import os, time; open({str(noted)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(99)"
    )
    procfile.write_text(f'web: {sys.executable} -c {shlex.quote(program)} "${{NONE:-x}}"\n')

    with Processes(procfile, os.environ, io.StringIO()) as started:
        started.start("web")
        assert started.wait_until(lambda: written(noted), seconds=10)
        assert int(noted.read_text()) == started.groups["web"]


def test_a_process_that_ignores_sigterm_is_killed(crew, tmp_path, monkeypatch):
    monkeypatch.setattr(lifeline, "GRACE_SECONDS", 0.2)
    noted = tmp_path / "pid"

    with crew(web=f"trap '' TERM; echo $$ > {noted}; while :; do sleep 1; done") as started:
        started.start("web")
        assert started.wait_until(lambda: written(noted), seconds=10)

    assert is_gone(int(noted.read_text()))


def test_a_child_that_outlives_its_process_gets_time_to_end_too(crew, tmp_path):
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    child = (
        f"trap 'sleep 0.5; echo > {ended}; exit' TERM; echo > {ready}; while :; do sleep 0.1; done"
    )
    (tmp_path / "child.sh").write_text(child)

    with crew(web=f"sh child.sh & while [ ! -e {ready} ]; do sleep 0.1; done; exit 1") as started:
        started.start("web")
        with pytest.raises(ProcessEnded):
            started.wait_until(lambda: False, seconds=10)

    assert written(ended)


def test_children_of_a_process_that_ended_are_ended_too(crew, tmp_path):
    noted = tmp_path / "pid"
    started = crew(web=f"sleep 1000 >/dev/null 2>&1 & echo $! > {noted}; exit 1")

    with pytest.raises(ProcessEnded):
        run(started)

    assert is_gone(int(noted.read_text()))


def test_a_process_that_ends_later_is_started_again_and_the_others_keep_running(
    crew, tmp_path, monkeypatch
):
    monkeypatch.setattr(processes, "FIRST_PAUSE_SECONDS", 0.1)
    web, worker = tmp_path / "web", tmp_path / "worker"
    output = io.StringIO()
    started = crew(
        output,
        web=f"echo $$ >> {web}; {LASTING}",
        worker=f"echo $$ >> {worker}; exit 3",
    )

    run_until(started, lambda: written(web) and written(worker, lines=3))

    assert web.read_text().count("\n") == 1
    assert "The worker process ended (3). It starts again in 0.1 s." in output.getvalue()
    assert "The worker process ended (3). It starts again in 0.2 s." in output.getvalue()


def test_the_pause_before_a_restart_doubles_up_to_half_a_minute():
    pauses = [0.0]
    for _ in range(7):
        pauses.append(next_pause(pauses[-1], ran_seconds=3))

    assert pauses[1:] == [1, 2, 4, 8, 16, 30, 30]


def test_the_pause_is_short_again_after_a_run_of_a_minute():
    assert next_pause(30.0, ran_seconds=60) == 1


def test_children_that_a_process_leaves_behind_are_killed_before_it_is_restarted(
    crew, tmp_path, monkeypatch
):
    monkeypatch.setattr(processes, "FIRST_PAUSE_SECONDS", 0.1)
    noted = tmp_path / "pids"
    child = "sleep 1000 >/dev/null 2>&1 &"
    started = crew(web=f"{child} echo $! >> {noted}; exit 1")

    run_until(started, lambda: written(noted, lines=2))

    assert all(is_gone(int(pid)) for pid in noted.read_text().split())


def test_kill_9_of_the_supervisor_leaves_no_process_behind(tmp_path):
    port, noted = free_port(), tmp_path / "pids"
    serve = f"{sys.executable} -m http.server {port} --bind 127.0.0.1"
    write_procfile(
        tmp_path,
        web=f"sleep 1000 & echo $! >> {noted}; echo $$ >> {noted}; exec {serve}",
    )
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "Procfile")], cwd=ROOT)
    wait_until(lambda: written(noted, lines=2), seconds=20, what="both processes started")

    parent.kill()
    parent.wait()

    assert all(is_gone(int(pid)) for pid in noted.read_text().split())


PARENT = """
import os, sys
from pathlib import Path
from dashboard.launch.processes import Processes

with Processes(Path(sys.argv[1]), os.environ, sys.stdout) as crew:
    crew.start("web")
    crew.wait()
"""


def test_the_lifeline_ends_with_the_processes(crew):
    with crew(web=LASTING) as started:
        started.start("web")

    assert started.lifeline.returncode is not None


def test_a_condition_that_never_comes_true_times_out(crew):
    with crew(web=LASTING) as started:
        started.start("web")

        assert not started.wait_until(lambda: False, seconds=0.3)


def test_lines_carry_the_name_of_their_process(crew):
    output = io.StringIO()

    with crew(output, web=f"echo one; {LASTING}", worker=f"echo two; {LASTING}") as started:
        started.start("web", "worker")
        started.wait_until(lambda: output.getvalue().count("\n") == 2, seconds=10)

    assert {line.split(" ", 1)[1] for line in output.getvalue().splitlines()} == {
        "web    | one",
        "worker | two",
    }


def test_output_to_a_closed_terminal_stops_no_process(crew, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = tmp_path / "done"

    # Unbuffered, so that nothing is left to write when it is closed.
    with (
        os.fdopen(writer, "wb", buffering=0) as pipe,
        io.TextIOWrapper(pipe, write_through=True) as output,
        crew(output, web=f"echo one; echo two; echo > {done}; {LASTING}") as started,
    ):
        started.start("web")
        is_done = started.wait_until(lambda: written(done), seconds=10)

    assert is_done


def test_the_signal_handlers_are_restored(crew):
    before = signal.getsignal(signal.SIGINT)

    with crew(web=LASTING) as started:
        started.start("web")

    assert signal.getsignal(signal.SIGINT) is before


def test_a_procfile_may_hold_comments_and_colons(tmp_path):
    procfile = tmp_path / "Procfile"
    procfile.write_text("# the pages: here\n\nweb: serve --at :80\nworker:work\n")

    assert commands_of(procfile) == {"web": "serve --at :80", "worker": "work"}
