"""What everything stands on: errors, complete-or-absent outputs, manifests, fingerprints of code."""
