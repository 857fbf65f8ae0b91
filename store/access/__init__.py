"""API tokens and ended sign-ins."""
