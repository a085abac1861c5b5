"""The contracts of support: robots' turns, escalations, conclusions."""
