"""These are the tables of the books.

Tested in tests/records/test_store.py.
"""

from __future__ import annotations

from device.records.audit import CALL, PICTURE, SOUND, TEXT
from device.records.figures import STATISTICS
from device.records.rows import Table
from device.records.spending import BUDGET, USAGE

TABLES: tuple[Table, ...] = (STATISTICS, SOUND, PICTURE, TEXT, CALL, USAGE, BUDGET)
