"""The providers as data: one module each, and the list of all of them."""
