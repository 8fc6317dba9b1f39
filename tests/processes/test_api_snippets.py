"""The two snippets of docs/api.md, run as they are against a sandbox and a server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from batches.models import Batch
from batches.sandbox import SandboxApi, SandboxServer
from tests.dashboard.api.conftest import give_token
from tests.setup.test_docs import ROOT, fences

DOCUMENT = ROOT / "docs" / "api.md"
REQUESTS = [
    {
        "custom_id": "one",
        "params": {
            "model": "claude-haiku-4-5",
            "max_tokens": 16,
            "messages": [{"role": "user", "content": "Hello"}],
        },
    }
]


@pytest.fixture
def upstream(sandbox: SandboxApi) -> Iterator[str]:
    """The sandbox's address for other processes."""
    server = SandboxServer()
    server.start(sandbox)
    yield server.base_url
    server.stop()


@pytest.fixture
def environment(committed, live_server, person, workspace, sandbox, upstream) -> dict[str, str]:
    owner = person("operator", workspace)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "ANTHROPIC_API_KEY": sandbox.key,
        "ANTHROPIC_BASE_URL": upstream,
        "BOARD_URL": live_server.url,
        "BOARD_TOKEN": give_token(owner, "label", workspaces=[workspace]),
        "NO_PROXY": "*",
    }


def run(command: list[str], environment: dict[str, str], folder) -> str:
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def the_batch_is_labeled(sync, workspace) -> bool:
    assert not Batch.objects.exists()
    assert sync(workspace)
    [batch] = Batch.objects.all()
    return (batch.label, batch.owner) == ("nightly eval", "ada")


def test_a_batch_is_named_in_python(environment, sync, workspace, tmp_path):
    [snippet] = fences(DOCUMENT, "python")
    assert len(snippet.partition("\n\n")[2].partition("\n\n")[2].splitlines()) == 6

    run([sys.executable, "-c", f"requests = {REQUESTS!r}\n{snippet}"], environment, tmp_path)

    assert the_batch_is_labeled(sync, workspace)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_a_batch_is_named_with_curl(environment, sync, workspace, upstream, tmp_path):
    [snippet] = fences(DOCUMENT, "sh")
    assert len(snippet.splitlines()) == 6
    (tmp_path / "requests.json").write_text(json.dumps({"requests": REQUESTS}))

    here = snippet.replace("https://api.anthropic.com", upstream)
    answer = run(["sh", "-ec", here], environment, tmp_path)

    assert json.loads(answer)["label"] == "nightly eval"
    assert the_batch_is_labeled(sync, workspace)
