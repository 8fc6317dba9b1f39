"""Starts Batchboard's processes together on one machine, for `make demo` and `make run`."""
