"""Tools that azd runs on the operator's machine; never deployed."""
