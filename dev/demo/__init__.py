"""`python3 dev.py demo`: two organisations, a local cloud, real drift. Uses the product's own HTTP API and queues only."""
