"""What drift is, as pure functions: no Azure, no storage, no clock, no tenancy."""
