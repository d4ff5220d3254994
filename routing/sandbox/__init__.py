"""The sandbox: a local server that speaks every provider's own dialect, with faults on demand.

It answers the test keys of users, who rehearse outages with it, and it is the upstream of our own
tests. It knows neither Django nor the rest of the gateway.
"""
