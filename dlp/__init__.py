"""An open data-loss-prevention agent for Linux: mail, shares and drives in; findings, verdicts and incidents out."""

__version__ = "0.1.0"
