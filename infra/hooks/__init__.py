"""The hooks of azure.yaml."""
