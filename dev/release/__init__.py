"""Records what later versions must stay compatible with, and audits the dependencies."""
