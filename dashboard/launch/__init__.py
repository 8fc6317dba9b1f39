"""Starting Batchboard's processes together on one machine: `make demo` and `make run`."""
