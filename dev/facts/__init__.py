"""Generates the read-only facts of the engine from Microsoft's management packages. For people; never deployed."""
