"""Chat templates: rendering a conversation, the spans of it that are trained, generated answers."""
