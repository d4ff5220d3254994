"""One folder per dialect: how it is read, what it refuses, and how it is written."""
