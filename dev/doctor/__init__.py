"""`dev.py doctor`: looks at a deployment from outside; says line by line what is right and what mends the rest."""
