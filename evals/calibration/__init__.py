"""How likely a recorded conversation was handled right, told from the conversation alone."""
