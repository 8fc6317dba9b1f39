"""A working imitation of the Message Batches API, for the demo, the tests and the benchmarks.

It uses no Django and shares nothing with `batches.client`, so that neither can inherit the
other's mistakes.
"""

from batches.sandbox.app import SandboxApi
from batches.sandbox.clock import SandboxClock
from batches.sandbox.server import SandboxServer
from batches.sandbox.transport import SandboxTransport

__all__ = ["SandboxApi", "SandboxClock", "SandboxServer", "SandboxTransport"]
