"""The spend page: its address, its chart, its tables, and the same as CSV."""
