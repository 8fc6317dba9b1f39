import io
import os
import signal
from pathlib import Path

import psutil
import pytest

from dashboard.launch import processes
from dashboard.launch.processes import ProcessEnded, Processes, StopAsked

LASTING = "sleep 1000"


@pytest.fixture
def crew(tmp_path):
    """A function that makes the processes of a Procfile with the given commands."""

    def make(**commands: str) -> Processes:
        procfile = tmp_path / "Procfile"
        procfile.write_text("".join(f"{name}: {line}\n" for name, line in commands.items()))
        return Processes(procfile, os.environ, io.StringIO())

    return make


def is_gone(pid: int) -> bool:
    """Whether the process is dead: one killed a moment ago may take another moment."""
    try:
        process = psutil.Process(pid)
        gone, _ = psutil.wait_procs([process], timeout=5)
        return bool(gone) or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def written(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def run(processes: Processes) -> None:
    """Starts all and waits, which only an exception ends."""
    with processes:
        processes.start(*processes.commands)
        processes.wait()


def test_a_process_that_ends_is_named_with_its_code_and_last_line(crew):
    all_of_them = crew(web=LASTING, mirror="echo no database; exit 3")

    with pytest.raises(ProcessEnded) as ended:
        run(all_of_them)

    assert str(ended.value) == (
        "The mirror process ended (3), so all have been ended. The last it said: no database"
    )


def test_a_killed_process_is_named_with_the_signal(crew):
    all_of_them = crew(web="kill -KILL $$")

    with pytest.raises(ProcessEnded, match="web process was killed by SIGKILL"):
        run(all_of_them)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_each_way_of_stopping_leaves_no_process_behind(crew, tmp_path, name):
    noted = tmp_path / "pid"
    all_of_them = crew(web=f"sleep 1000 & echo $! > {noted}; kill -{name} $PPID; wait")

    with pytest.raises(StopAsked):
        run(all_of_them)

    assert is_gone(int(noted.read_text()))


def test_what_does_not_heed_sigterm_is_killed(crew, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    noted = tmp_path / "pid"

    with crew(web=f"trap '' TERM; echo $$ > {noted}; while :; do sleep 1; done") as all_of_them:
        all_of_them.start("web")
        assert all_of_them.wait_until(lambda: written(noted), seconds=10)

    assert is_gone(int(noted.read_text()))


def test_children_of_a_dead_process_are_ended_too(crew, tmp_path):
    noted = tmp_path / "pid"
    all_of_them = crew(web=f"sleep 1000 >/dev/null 2>&1 & echo $! > {noted}; exit 1")

    with pytest.raises(ProcessEnded):
        run(all_of_them)

    assert is_gone(int(noted.read_text()))


def test_a_condition_that_never_comes_true_is_given_up(crew):
    with crew(web=LASTING) as all_of_them:
        all_of_them.start("web")

        assert not all_of_them.wait_until(lambda: False, seconds=0.3)


def test_lines_carry_the_name_of_their_process(tmp_path):
    output = io.StringIO()
    procfile = tmp_path / "Procfile"
    procfile.write_text(f"web: echo one; {LASTING}\nmirror: echo two; {LASTING}\n")

    with Processes(procfile, os.environ, output) as all_of_them:
        all_of_them.start("web", "mirror")
        all_of_them.wait_until(lambda: output.getvalue().count("\n") == 2, seconds=10)

    assert {line.split(" ", 1)[1] for line in output.getvalue().splitlines()} == {
        "web    | one",
        "mirror | two",
    }


def test_output_that_nobody_reads_any_more_stops_no_process(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    procfile, done = tmp_path / "Procfile", tmp_path / "done"
    procfile.write_text(f"web: echo one; echo two; echo > {done}; sleep 1000\n")

    # Unbuffered, so that closing it has nothing left to write.
    with (
        os.fdopen(writer, "wb", buffering=0) as pipe,
        io.TextIOWrapper(pipe, write_through=True) as output,
        Processes(procfile, os.environ, output) as all_of_them,
    ):
        all_of_them.start("web")
        is_done = all_of_them.wait_until(lambda: written(done), seconds=10)

    assert is_done


def test_afterwards_ctrl_c_is_what_it_was(crew):
    before = signal.getsignal(signal.SIGINT)

    with crew(web=LASTING) as all_of_them:
        all_of_them.start("web")

    assert signal.getsignal(signal.SIGINT) is before
