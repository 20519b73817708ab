"""`dev.py doctor`: looks at a deployment from outside and says, line by line, what is right and how to mend the rest."""
