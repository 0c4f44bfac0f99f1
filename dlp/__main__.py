"""`python -m dlp` is the command `dlp`."""

from dlp.cli import main

main()
