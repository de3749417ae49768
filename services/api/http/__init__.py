"""The face: the HTTP API, one module a resource."""
