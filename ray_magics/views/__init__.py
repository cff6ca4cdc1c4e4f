"""A status as text, HTML and a live widget; views show, and never act."""
