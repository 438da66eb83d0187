"""Reading a source as a whole or in parts, and what that came to."""
