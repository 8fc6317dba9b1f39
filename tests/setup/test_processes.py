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
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def written(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def test_a_process_that_ends_is_named_with_its_code_and_last_line(crew):
    with (
        pytest.raises(ProcessEnded) as ended,
        crew(web=LASTING, mirror="echo no database; exit 3") as all_of_them,
    ):
        all_of_them.start("web", "mirror")
        all_of_them.wait()

    assert str(ended.value) == (
        "The mirror process ended (3), so all have been ended. The last it said: no database"
    )


def test_a_killed_process_is_named_with_the_signal(crew):
    with (
        pytest.raises(ProcessEnded, match="web process was killed by SIGKILL"),
        crew(web="kill -KILL $$") as all_of_them,
    ):
        all_of_them.start("web")
        all_of_them.wait()


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_each_way_of_stopping_leaves_no_process_behind(crew, tmp_path, name):
    noted = tmp_path / "pid"

    with (
        pytest.raises(StopAsked),
        crew(web=f"sleep 1000 & echo $! > {noted}; kill -{name} $PPID; wait") as all_of_them,
    ):
        all_of_them.start("web")
        all_of_them.wait()

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

    with (
        pytest.raises(ProcessEnded),
        crew(web=f"sleep 1000 >/dev/null 2>&1 & echo $! > {noted}; exit 1") as all_of_them,
    ):
        all_of_them.start("web")
        all_of_them.wait()

    assert is_gone(int(noted.read_text()))


def test_a_condition_that_never_comes_true_is_given_up(crew):
    with crew(web=LASTING) as all_of_them:
        all_of_them.start("web")

        assert not all_of_them.wait_until(lambda: False, seconds=0.3)


def test_lines_carry_the_name_of_their_process(crew, tmp_path):
    output = io.StringIO()
    procfile = tmp_path / "Procfile"
    procfile.write_text("web: echo one\nmirror: echo two\n")

    with pytest.raises(ProcessEnded), Processes(procfile, os.environ, output) as all_of_them:
        all_of_them.start("web", "mirror")
        all_of_them.wait()

    assert {line.split(" ", 1)[1] for line in output.getvalue().splitlines()} == {
        "web    | one",
        "mirror | two",
    }


def test_output_that_nobody_reads_any_more_stops_no_process(crew, tmp_path):
    output = io.StringIO()
    output.close()
    procfile, done = tmp_path / "Procfile", tmp_path / "done"
    procfile.write_text(f"web: echo one; echo two; echo > {done}; sleep 1000\n")

    with Processes(procfile, os.environ, output) as all_of_them:
        all_of_them.start("web")

        assert all_of_them.wait_until(lambda: written(done), seconds=10)


def test_afterwards_ctrl_c_is_what_it_was(crew):
    before = signal.getsignal(signal.SIGINT)

    with crew(web=LASTING) as all_of_them:
        all_of_them.start("web")

    assert signal.getsignal(signal.SIGINT) is before
