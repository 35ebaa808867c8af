"""The algebra of requests: sets of them as boxes over atoms, with intersection, difference and witnesses."""
