"""`python3 dev.py demo`: two organisations, a local cloud, real drift; through the product's own API and queues."""
