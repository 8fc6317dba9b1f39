"""Results files that come in good order and are wrong all the same, each in its way.

Nothing in the answer but the lines themselves gives them away: the status is 200 and the
stream ends as it should. Each takes a stream in blocks of whole lines and yields another.
Bytes are split at \\n and \\r alone, and JSON has neither inside of a line.
"""

from collections.abc import Callable, Iterator


def short(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the last lines: a third of the last block, one at least."""
    for block, is_last in _told_the_last(blocks):
        lines = block.splitlines(keepends=True)
        yield b"".join(lines[: len(lines) * 2 // 3]) if is_last else block


def half_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """End in the middle of the last line."""
    for block, is_last in _told_the_last(blocks):
        *before, last = block.splitlines(keepends=True)
        yield b"".join(before) + last[: len(last) // 2] if is_last else block


def extra_line(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Bring the last line twice."""
    for block, is_last in _told_the_last(blocks):
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


def _told_the_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each block with whether it is the last, always one behind the stream."""
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
