"""Anthropic's Messages, as Anthropic itself speaks it."""
