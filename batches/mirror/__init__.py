"""Copies batches from Anthropic into the database: rounds over a workspace, and single batches."""
