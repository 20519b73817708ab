"""Tools for people who develop the product. Never deployed, never imported by the product."""
