"""What a chat user does, one method per verb, on ports alone."""
