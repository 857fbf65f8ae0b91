"""Records what a release must stay compatible with, and audits its dependencies."""
