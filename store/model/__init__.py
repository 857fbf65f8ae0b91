"""The nouns: what events say and what batches are. Imports nothing of ours."""
