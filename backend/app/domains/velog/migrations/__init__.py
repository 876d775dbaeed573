"""The tables of the old back office first (0001, 0002), then what is ours."""
