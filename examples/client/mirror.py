"""Keep a copy of the email addresses of all customers in SQLite. A second run continues.

BASE_URL=http://127.0.0.1:8000 TOKEN=$(make -s token) python examples/client/mirror.py copy.db
"""

import os
import sqlite3
import sys
from contextlib import closing

from customers_client import Customers

with (
    closing(sqlite3.connect(sys.argv[1])) as copy,
    Customers(os.environ["BASE_URL"], os.environ["TOKEN"]) as client,
):
    copy.execute("CREATE TABLE IF NOT EXISTS customer (id TEXT PRIMARY KEY, email TEXT)")
    copy.execute("CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY, next TEXT)")
    (cursor,) = copy.execute("SELECT max(next) FROM position").fetchone()
    for page in client.changes(cursor):  # follow=True waits for further changes
        with copy:  # stores the changes and the cursor, or neither
            for change in page.items:
                copy.execute("DELETE FROM customer WHERE id = ?", [str(change.id)])
                if change.email:  # deleted and erased customers have none
                    row = [str(change.id), change.email]
                    copy.execute("INSERT INTO customer VALUES (?, ?)", row)
            copy.execute("REPLACE INTO position VALUES (1, ?)", [page.next_])
    print(*copy.execute("SELECT count(*) FROM customer").fetchone())
