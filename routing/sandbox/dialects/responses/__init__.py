"""OpenAI's Responses, as OpenAI itself speaks it; nothing is stored."""
