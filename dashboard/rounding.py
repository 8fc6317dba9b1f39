"""Figures rounded so that the parts that a page shows add up to the total that it shows.

The total is rounded to the nearest unit, half a unit up. Each part is then rounded down or up to
a neighboring multiple of the unit: up go those with the largest remainders, as many as the total
needs. In a table of parts the same holds for every row, every column and the whole. No figure is
off by a whole unit, and one that is a multiple of the unit stays as it is.

Pure: exact decimals in, exact decimals out.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

CENT = Decimal("0.01")
# Of a dollar, for totals below one.
FINER = Decimal("0.0001")
# Enough digits that nothing here is ever rounded but by quantize.
EXACT = Context(prec=100)


def unit_for(total: Decimal, parts: Iterable[Decimal] = ()) -> Decimal:
    """The unit for a total in US dollars and its parts: a cent, or less for less than a dollar.

    A hundredth of a cent, or two significant digits of what is smaller still. A cent, too, where
    all are whole cents.
    """
    figures = [total, *parts]
    if abs(total) >= 1 or not any(EXACT.remainder(figure, CENT) for figure in figures):
        return CENT
    return min(FINER, Decimal(1).scaleb(total.adjusted() - 1)) if total else FINER


def nearest(amount: Decimal, unit: Decimal) -> Decimal:
    """The nearest multiple of the unit, a power of ten; half a unit up, away from zero."""
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
    """The cells as multiples of the unit whose rows and columns add up, too.

    The sum of all is the nearest to the exact one; each row's and column's is a neighbor of it.
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

    A row and a column more make every sum whole. Then no row or column holds just one cell that
    is not whole, so that such cells can be walked in a cycle. What every other one of them gains
    the ones between lose, which changes no sum, until one is whole; and so on until all are.
    """

    def __init__(self, rests: Sequence[Sequence[int]], unit: int) -> None:
        self.unit = unit
        self.corner = len(rests), len(rests[0])
        table = [[*row, -sum(row) % unit] for row in rests]
        table.append([-sum(column) % unit for column in zip(*table, strict=True)])
        # The whole sum is to be the nearest.
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
        """Cells, each in one row or column with the next in turn, and the last with the first."""
        i, j = next(iter(self.rest))
        path = [(i, j)]
        # Where in the path each row and column is left.
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
        """Move as much as makes one of the cells whole: the least, or as the corner needs it."""
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
