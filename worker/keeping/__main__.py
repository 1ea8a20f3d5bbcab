"""`python -m worker.keeping`, started by a worker."""

import sys

from worker.keeping.main import main

if __name__ == "__main__":
    sys.exit(main())
