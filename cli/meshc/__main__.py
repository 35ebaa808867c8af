"""`python -m meshc` is the command itself."""

from __future__ import annotations

import sys

from meshc.main import main

sys.exit(main())
