"""Loading models and tokenizers, and the device and precision that they compute in."""
