"""The servers that tests run against: the gateway itself, and the sandbox as its providers."""
