"""Rounds amounts so that the parts on a page add up to the total on the page.

The total is rounded to the nearest unit, half a unit up. Each part is then rounded down or up to
a neighboring multiple of the unit: up for the largest remainders, as many as the total needs. In
a table the same holds for every row, every column and the grand total. No figure is off by a
whole unit, and a multiple of the unit stays unchanged.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

CENT = Decimal("0.01")
# The unit for totals below one dollar.
FINER = Decimal("0.0001")
# Has enough digits that only `quantize` rounds.
EXACT = Context(prec=100)


def unit_for(total: Decimal, parts: Iterable[Decimal] = ()) -> Decimal:
    """The unit for a total in US dollars and its parts.

    A cent for a total of a dollar or more, or if all are whole cents. Otherwise a hundredth of a
    cent, or two significant digits of a total that is smaller still.
    """
    figures = [total, *parts]
    if abs(total) >= 1 or not any(EXACT.remainder(figure, CENT) for figure in figures):
        return CENT
    return min(FINER, Decimal(1).scaleb(total.adjusted() - 1)) if total else FINER


def nearest(amount: Decimal, unit: Decimal) -> Decimal:
    """The nearest multiple of the unit, which is a power of ten; halves away from zero."""
    return amount.quantize(unit, ROUND_HALF_UP, context=EXACT)


def apportioned(parts: Sequence[Decimal], total: Decimal, unit: Decimal) -> list[Decimal]:
    """The parts as multiples of the unit that add up to `total`.

    `total` is the sum of the parts, rounded down or up to a multiple of the unit.
    """
    shown = [part.quantize(unit, ROUND_FLOOR, context=EXACT) for part in parts]
    remainders = [EXACT.subtract(*pair) for pair in zip(parts, shown, strict=True)]
    missing = int(EXACT.divide(EXACT.subtract(total, _sum(shown)), unit))
    by_remainder = sorted(range(len(parts)), key=lambda at: -remainders[at])
    for at in by_remainder[: max(missing, 0)]:
        shown[at] += unit
    return shown


def apportioned_table(rows: Sequence[Sequence[Decimal]], unit: Decimal) -> list[list[Decimal]]:
    """The cells as multiples of the unit, so that rows and columns add up.

    The grand total is the multiple nearest to the exact one. The total of each row and column is
    a neighboring multiple.
    """
    if not rows or not rows[0]:
        return [list(row) for row in rows]
    places = max(0, *(-int(cell.as_tuple().exponent) for row in rows for cell in [unit, *row]))
    in_unit = int(unit.scaleb(places, EXACT))
    whole = [[divmod(int(cell.scaleb(places, EXACT)), in_unit) for cell in row] for row in rows]
    raised = _Remainders([[rest for _, rest in row] for row in whole], in_unit).raised()
    return [
        [(floor + ((i, j) in raised)) * unit for j, (floor, _) in enumerate(row)]
        for i, row in enumerate(whole)
    ]


def _sum(figures: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for figure in figures:
        total = EXACT.add(total, figure)
    return total


class _Remainders:
    """Controlled rounding (Cox, 1987): which remainders of a table go up to a whole unit.

    An additional row and column make every sum whole. Then no row or column has exactly one cell
    that is not whole, so that such cells form a cycle. Every second cell of it gains what the
    others lose, which changes no sum, until one of them is whole. This repeats until all are.
    """

    def __init__(self, rests: Sequence[Sequence[int]], unit: int) -> None:
        self.unit = unit
        self.corner = len(rests), len(rests[0])
        table = [[*row, -sum(row) % unit] for row in rests]
        table.append([-sum(column) % unit for column in zip(*table, strict=True)])
        # The grand total goes to the nearest multiple.
        self.corner_goes_up = 2 * table[-1][-1] >= unit
        self.rest = {(i, j): x for i, row in enumerate(table) for j, x in enumerate(row) if x}
        self.columns = [{j for j, x in enumerate(row) if x} for row in table]
        self.rows = [{i for i, x in enumerate(column) if x} for column in zip(*table, strict=True)]
        self.up: set[tuple[int, int]] = set()

    def raised(self) -> set[tuple[int, int]]:
        while self.rest:
            cycle = self._cycle()
            self._shift(cycle[::2], cycle[1::2])
        return self.up

    def _cycle(self) -> list[tuple[int, int]]:
        """Cells that in turn share a row or a column with the next; the last with the first."""
        i, j = next(iter(self.rest))
        path = [(i, j)]
        # The index in the path at which it leaves each row and column.
        rows, columns = {i: 0}, {j: 1}
        while True:
            i = next(each for each in self.rows[j] if each != i)
            path.append((i, j))
            if i in rows:
                return path[rows[i] :]
            rows[i] = len(path)
            j = next(each for each in self.columns[i] if each != j)
            path.append((i, j))
            if j in columns:
                return path[columns[j] :]
            columns[j] = len(path)

    def _shift(self, some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
        """Move as much as makes one cell whole: the least, or in the corner's direction."""
        gain, loss = self._most(some, others), self._most(others, some)
        is_gain = gain <= loss
        if self.corner in some or self.corner in others:
            is_gain = (self.corner in some) == self.corner_goes_up
        amount = gain if is_gain else -loss
        for cells, change in ((some, amount), (others, -amount)):
            for cell in cells:
                self._change(cell, change)

    def _most(self, rising: list[tuple[int, int]], falling: list[tuple[int, int]]) -> int:
        room = min(self.unit - self.rest[cell] for cell in rising)
        return min(room, *(self.rest[cell] for cell in falling))

    def _change(self, cell: tuple[int, int], change: int) -> None:
        self.rest[cell] += change
        if self.rest[cell] in {0, self.unit}:
            if self.rest.pop(cell):
                self.up.add(cell)
            i, j = cell
            self.columns[i].discard(j)
            self.rows[j].discard(i)
