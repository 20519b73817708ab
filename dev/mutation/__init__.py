"""Mutation testing of the code that keeps tenants apart: would the tests notice, if a line of it were wrong?"""
