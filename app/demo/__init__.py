"""The demo: an embedded PostgreSQL with a sample shop, a configuration for it, and a tour that real clients play."""
