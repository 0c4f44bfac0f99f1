"""Findings and origin → verdict. Pure: no I/O after loading, no clock but an item's own arrival."""
