"""Run the proxies."""

import sys

from cli.faults.main import main

sys.exit(main())
