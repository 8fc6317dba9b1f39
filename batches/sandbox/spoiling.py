"""Faults that spoil results files while the response looks complete.

The status is 200 and the stream ends properly; only the lines are wrong. Each function takes a
stream in blocks of whole lines. `bytes.splitlines` splits at \\n and \\r only, and JSON has neither
inside a line.
"""

from collections.abc import Callable, Iterator


def short(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Omit the last lines: a third of the last block, at least one."""
    for block, is_last in _with_is_last(blocks):
        lines = block.splitlines(keepends=True)
        yield b"".join(lines[: len(lines) * 2 // 3]) if is_last else block


def half_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """End in the middle of the last line."""
    for block, is_last in _with_is_last(blocks):
        *before, last = block.splitlines(keepends=True)
        yield b"".join(before) + last[: len(last) // 2] if is_last else block


def extra_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Repeat the last line."""
    for block, is_last in _with_is_last(blocks):
        yield block
        if is_last:
            yield block.splitlines(keepends=True)[-1]


def bad_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Garble one line, in the middle of the first block."""
    for block in blocks:
        lines = block.splitlines(keepends=True)
        middle = len(lines) // 2
        garbled = lines[middle][: len(lines[middle]) // 2] + b"\xff\x00\n"
        yield b"".join([*lines[:middle], garbled, *lines[middle + 1 :]])
        break
    yield from blocks


def _with_is_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each block and whether it is the last."""
    held = next(blocks, None)
    if held is None:
        return
    for block in blocks:
        yield held, False
        held = block
    yield held, True


SPOILS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "short": short,
    "half-line": half_line,
    "extra-line": extra_line,
    "bad-line": bad_line,
}
