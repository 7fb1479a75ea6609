"""``python -m helpers.data``: fetch the data sets ahead of a class (``make data``)."""

import sys

from helpers.data.sets import main

sys.exit(main())
