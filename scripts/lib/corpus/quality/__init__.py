"""Documents that are text, but not worth learning from: lists of words, of headlines, of goods; spam."""
