"""The list of batches: filters, pages, tabs, polling, CSV export and look-up by ID."""
