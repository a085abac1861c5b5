"""Adapters: what the ports of the domain are made of."""
