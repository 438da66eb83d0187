"""The settings of every stage as typed models, and the sheets of sources."""
