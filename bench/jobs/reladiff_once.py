"""One comparison by reladiff, in the environment that has it; prints seconds and keys as JSON.

    python bench/jobs/reladiff_once.py '{"database": …, "tables": …, "key": …, "columns": …}'

`bench/jobs/diff.py` runs this.
"""

import json
import sys
import time

from reladiff import connect_to_table, diff_tables


def main() -> None:
    asked = json.loads(sys.argv[1])
    key = tuple(asked["key"])
    database = {"driver": "postgresql", **asked["database"]}
    began = time.perf_counter()
    left, right = (
        connect_to_table(database, name, key, thread_count=asked["threads"])
        for name in asked["tables"]
    )
    found = diff_tables(
        left, right, key_columns=key, extra_columns=tuple(asked["columns"]),
        threaded=True, max_threadpool_size=asked["threads"],
    )  # fmt: skip
    keys = {tuple(map(str, row[: len(key)])) for _, row in found}
    print(json.dumps({"seconds": time.perf_counter() - began, "keys": sorted(keys)}))


if __name__ == "__main__":
    main()
