"""A simulated Azure for development: Entra ID, Resource Manager, Resource Graph and Key Vault on loopback.

It knows nothing of the product. What it answers is what Azure answers, so that the SDK clients run unchanged and
a misunderstanding of Azure cannot be shared by both sides.
"""
