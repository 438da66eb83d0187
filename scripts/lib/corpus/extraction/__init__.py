"""Plain text out of web pages, manual pages and wikis."""
