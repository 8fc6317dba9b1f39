"""The vendor's own cost report: fetching it, and comparing it with our figures."""
