"""Several processes that train together: starting them, talking among them, sharded weights."""
