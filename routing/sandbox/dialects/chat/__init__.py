"""OpenAI's Chat Completions, which nine providers speak, each with an accent of its own."""
