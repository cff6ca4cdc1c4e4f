"""Pictures of a status; they show, and never act."""
