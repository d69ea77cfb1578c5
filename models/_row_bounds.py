"""Bounds that the parameters of trees have by the rows that they are trained on.

A search space is written once for tables of every size. Where its smallest leaf is as large as the table
itself, no split is left to make, and the model learns nothing without a word.
"""

from __future__ import annotations

# Leaves that the rows must be enough for. From 1,000 rows on, a smallest leaf of 100 is what it says.
_LEAVES = 10


def bounded_rows(wanted: int, rows: int, least: int = 1) -> int:
    """Return the smallest number of rows in a leaf, at most a tenth of `rows`, and `least` or more.

    >>> [bounded_rows(20, rows) for rows in (14, 100, 200, 1_000)]
    [1, 10, 20, 20]
    """
    return min(wanted, max(least, rows // _LEAVES))


def bounded_weight(wanted: float, total: float) -> float:
    """Return the smallest weight of a leaf, at most a tenth of the total.

    >>> bounded_weight(3.0, 14.0), bounded_weight(3.0, 1_000.0)
    (1.4, 3.0)
    """
    return min(wanted, total / _LEAVES)
