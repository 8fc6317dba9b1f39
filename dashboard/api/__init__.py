"""The JSON API. Each route is an Operation, of which the view and its OpenAPI are made."""
