"""The response cache: opt-in, exact, sealed, and never shared between keys or tenants."""
