"""What the sandbox says, whichever dialect it then says it in. Pure."""
