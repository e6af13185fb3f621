"""`python -m tunesmith` is the command `tunesmith`; so `torchrun … -m tunesmith run` is one too."""

import sys

from tunesmith.cli.main import main

sys.exit(main())
