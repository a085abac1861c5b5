"""Ways in: the command line and the ASGI probes."""
