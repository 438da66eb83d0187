"""The finished model in the forms that other programs take: GGUF for llama.cpp and Ollama, safetensors, adapters."""
