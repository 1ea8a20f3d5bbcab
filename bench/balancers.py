"""Our balancer beside nginx, HAProxy and others: bench/lb/run.py, with its options.

python bench/balancers.py [--seconds 3] [--rounds 5] [--only ours,nginx] [--venv DIR]
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # By path: the folder is no package, lest it be taken for the balancer itself.
    folder = Path(__file__).parent / "lb"
    sys.path[0] = str(folder)
    runpy.run_path(str(folder / "run.py"), run_name="__main__")
