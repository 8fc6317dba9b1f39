"""Repeatable random numbers: the same words always give the same numbers."""

import math
import struct
from collections.abc import Sequence
from hashlib import blake2b

SIXTEEN_NUMBERS = struct.Struct("<16I")
BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
TO_BASE58 = bytes(BASE58[byte % len(BASE58)] for byte in range(256))


class Draws:
    """An endless sequence of random numbers, determined by the given words alone.

    Results files are generated from it line by line, so that they need no memory or disk, and a
    second download equals the first.
    """

    __slots__ = ("_key", "_numbers", "_refills")

    def __init__(self, *words: object) -> None:
        self._key = "\x1f".join(map(str, words)).encode()
        self._refills = 0
        self._numbers: list[int] = []

    def raw(self) -> bytes:
        """Draw 64 bytes."""
        self._refills += 1
        return blake2b(self._key, salt=self._refills.to_bytes(16, "little")).digest()

    def unit(self) -> float:
        """Draw uniformly from [0, 1)."""
        if not self._numbers:
            self._numbers = list(SIXTEEN_NUMBERS.unpack(self.raw()))
        return self._numbers.pop() / 2**32

    def happens(self, probability: float) -> bool:
        """Draw True with this probability."""
        return self.unit() < probability

    def between(self, low: float, high: float) -> float:
        """Draw uniformly from [low, high)."""
        return low + (high - low) * self.unit()

    def below(self, limit: int) -> int:
        """Draw an integer from 0 to limit - 1."""
        return int(self.unit() * limit)

    def pick[T](self, choices: Sequence[T]) -> T:
        """Draw one of the choices. One that is listed twice is drawn twice as often."""
        return choices[int(self.unit() * len(choices))]

    def around(self, median: float, spread: float) -> float:
        """Draw from a log-normal distribution: above zero, with a long tail upwards.

        `spread` is the standard deviation of the logarithm.
        """
        # Box-Muller. `1 -` keeps zero out of the logarithm.
        radius = math.sqrt(-2 * math.log(1 - self.unit()))
        return median * math.exp(spread * radius * math.cos(2 * math.pi * self.unit()))

    def word(self, length: int) -> str:
        """Draw up to 64 letters and digits, as in the API's IDs."""
        return self.raw()[:length].translate(TO_BASE58).decode()


class Shuffle:
    """A repeatable permutation of 0 … size - 1 that stores no list.

    A four-round Feistel network over the next power of four. A result outside the range goes
    through the network again.
    """

    __slots__ = ("_half", "_keys", "_mask", "size")

    def __init__(self, size: int, *words: object) -> None:
        draws = Draws("shuffle", *words)
        self.size = size
        self._half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
        self._mask = (1 << self._half) - 1
        self._keys = [draws.below(2**32) | 1 for _ in range(4)]

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(index)
        half, mask = self._half, self._mask
        while True:
            left, right = index >> half, index & mask
            for key in self._keys:
                mixed = (right + key) * 0x9E3779B1 & 0xFFFFFFFF
                left, right = right, left ^ ((mixed ^ mixed >> 15) * key >> 7 & mask)
            index = left << half | right
            if index < self.size:
                return index
