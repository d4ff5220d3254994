"""Training data: calls of a tenant that has asked for it; sealed, capped, expiring."""
