"""Commands behind the Makefile, and what the tests share with them."""

from pathlib import Path

#: The root of the checkout.
ROOT = Path(__file__).resolve().parent.parent
