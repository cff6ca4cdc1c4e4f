"""Finds, starts, shows and ends clusters."""
