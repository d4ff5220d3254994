"""What a call costs in this process, as ratios of one run: `make bench`.

No sockets: the application is called directly and its upstream is a canned answer, so that the
figures are the gateway's own work. Whole-process figures, with peers, come from a load generator.
"""
