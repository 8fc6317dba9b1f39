"""Anthropic's cost report: fetching it, and comparing it with Batchboard's figures."""
