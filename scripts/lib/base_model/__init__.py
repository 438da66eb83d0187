"""Stage base_model: other formats of weights and tokenizers as a Hugging Face directory."""
