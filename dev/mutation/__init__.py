"""Mutation testing of the code that keeps tenants apart: would the tests notice, if a line of it were wrong?

mutmut changes what is inside functions. What it leaves alone (tables and patterns of a module, properties) the tests
must state whole, as tests/tenancy/test_roles.py does.
"""
