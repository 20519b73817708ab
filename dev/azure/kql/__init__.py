"""The part of the Kusto Query Language that the simulated Resource Graph understands; the rest is refused."""
