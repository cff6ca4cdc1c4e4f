"""What a cell reads, binds and changes, found from its source alone."""
